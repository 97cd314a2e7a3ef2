"""`tfpare inspect`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, ModelArgument, TagSet, show, tags, working
from tfpare.errors import UnsupportedModel


def inspect(
    model: ModelArgument,
    tag_set: TagSet = None,
    ops: Annotated[
        int, typer.Option("--ops", min=0, metavar="N", help="Rows in the tables of ops and variables.")
    ] = 12,
    structure: Annotated[
        bool, typer.Option("--structure", "--print_structure", help="List every node in execution order.")
    ] = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Shows what a model is: signatures, ops and bytes, warnings. Only parses files, runs nothing of the model."""
    with working(debug):
        from tfpare.inspect import inspect_model
        from tfpare.report_inspect import render

        report = inspect_model(model, tags(tag_set), structure)
    show(report, as_json, render(report, ops))
    if report.invalid_inputs:
        first = report.invalid_inputs[0]
        where = f"node {first.node!r}" + (f" of function {first.function!r}" if first.function else "")
        count = len(report.invalid_inputs)
        print(f"tfpare: {count} inputs name no node, the first is {first.input!r} of {where}.", file=sys.stderr)
        raise typer.Exit(UnsupportedModel.exit_code)
