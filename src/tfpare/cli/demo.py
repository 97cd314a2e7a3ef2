"""`tfpare demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, show, working


def demo(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Keep the optimized model here.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DIR if it exists.")] = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Optimizes a small trained model that comes with tfpare, and compares accuracy and time. No network is needed."""
    with working(debug, start=False) as progress, tempfile.TemporaryDirectory(prefix="tfpare-demo-") as scratch:
        from tfpare.api_types import OptimizeOptions
        from tfpare.demo import run_demo
        from tfpare.report_demo import render

        options = OptimizeOptions(overwrite=overwrite)
        report = run_demo(output or Path(scratch) / "optimized", progress, options)
    show(report, as_json, render(report, kept=output is not None))
