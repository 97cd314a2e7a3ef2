"""`tfpare explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, show


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A rule or pass, as `tfpare passes` lists them.")],
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Explains a pass or rule: its equation, an example, when it declines, where it comes from."""
    del debug
    from tfpare.catalogue import entry
    from tfpare.report_catalogue import render_entry

    known = entry(name)
    show(known, as_json, render_entry(known))
