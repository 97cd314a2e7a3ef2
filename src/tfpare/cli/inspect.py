"""`tfpare inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, ModelArgument, TagSet, show, tags, working


def inspect(
    model: ModelArgument,
    tag_set: TagSet = None,
    ops: Annotated[int, typer.Option("--ops", min=0, metavar="N", help="Rows in the table of ops.")] = 12,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Shows what a model is: signatures, ops and bytes, warnings. Only parses files, runs nothing of the model."""
    with working(debug):
        from tfpare.inspect import inspect_model
        from tfpare.report_inspect import render

        report = inspect_model(model, tags(tag_set))
    show(report, as_json, render(report, ops))
