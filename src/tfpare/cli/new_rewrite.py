"""`tfpare new-rewrite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, show


def new_rewrite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A verb phrase, such as fold_x_into_y.")],
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Writes a working rule and its test into a checkout of tfpare, to be edited."""
    del debug
    from tfpare.scaffold import new_rewrite as write
    from tfpare.tables import facts

    made = write(name, Path.cwd())
    run = f"pytest tests/rewrites -k {made.name}"
    show(made, as_json, facts([("rule", str(made.rule)), ("test", str(made.test)), ("try", run)]))
