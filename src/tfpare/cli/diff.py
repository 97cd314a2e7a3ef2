"""`tfpare diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, TagSet, show, tags, working
from tfpare.errors import UnsupportedModel, UsageError


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A model or graph of any form that tfpare reads.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The one to compare it with.")],
    tag_set: TagSet = None,
    versions: Annotated[bool, typer.Option("--versions", help="Other versions make models different, too.")] = False,
    internal_attrs: Annotated[
        bool, typer.Option("--internal-attrs", help="Also compare attributes whose names begin with '_'.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show everything, however long.")] = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Shows how two models or graphs differ. Exit code 0: equal, 1: different, 2: one cannot be read."""
    with working(debug) as progress:
        from tfpare.diffing.models import diff as run
        from tfpare.diffing.types import DiffOptions
        from tfpare.report_diff import render

        try:
            report = run(a, b, DiffOptions(tags(tag_set), versions, internal_attrs), progress)
        except UnsupportedModel as error:
            raise UsageError(str(error)) from error  # 3 is a third answer that scripts made for `diff` do not know
    show(report, as_json, render(report, show_all))
    if not report.is_equal:
        raise typer.Exit(1)
