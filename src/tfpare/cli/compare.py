"""`tfpare compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli.common import (
    DebugFlag,
    JsonFlag,
    OpLibraries,
    Tolerance,
    command_line,
    load_op_libraries,
    show,
    split,
    stdout_to_stderr,
    working,
)
from tfpare.cli.data_options import data_options
from tfpare.cli.groups import expanded
from tfpare.cli.measure_options import MetricOutput, Metrics, PageFile, ReplacePage, timing_options
from tfpare.errors import UsageError

if TYPE_CHECKING:
    from tfpare.data.types import DataOptions
    from tfpare.measure.types import BenchmarkOptions


@expanded(timed=timing_options, reading=data_options)
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The original model.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="What is to take its place.")],
    *,
    metric: Metrics = None,
    output: MetricOutput = None,
    tolerance: Tolerance = None,
    timed: BenchmarkOptions,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    op_library: OpLibraries = None,
    reading: DataOptions,
    page: PageFile = None,
    overwrite: ReplacePage = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Latency, throughput, memory, size, answers and accuracy of two models in one table. Exit code 1: a loss."""
    from tfpare.cli.bar import progress_bar
    from tfpare.html.files import check_page, write_page

    if metric and timed.data is None:
        raise UsageError("--metric needs labelled samples: give --data.")
    if page is not None:
        check_page(page, overwrite)
    with working(debug) as progress:
        from tfpare.html.page import render_page
        from tfpare.measure.compare import compare as run
        from tfpare.measure.compare_types import CompareOptions
        from tfpare.report_compare import markdown as as_markdown
        from tfpare.report_compare import render

        progress("reading")
        load_op_libraries(op_library or ())
        options = CompareOptions(timed, reading, split(metric), output or "", tolerance)
    with stdout_to_stderr(), progress_bar() as bar:
        report = run(before, after, options, bar)
    report.benchmark.command = command_line()
    if page is not None:
        write_page(render_page(report), page)
    if markdown and not as_json:
        print(as_markdown(report))
    else:
        show(report, as_json, render(report))
    if not report.ok:
        raise typer.Exit(1)
