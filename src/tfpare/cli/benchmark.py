"""`tfpare benchmark`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli.common import (
    DebugFlag,
    JsonFlag,
    OpLibraries,
    command_line,
    load_op_libraries,
    show,
    stdout_to_stderr,
    working,
)
from tfpare.cli.data_options import data_options
from tfpare.cli.groups import expanded
from tfpare.cli.measure_options import timing_options

if TYPE_CHECKING:
    from tfpare.data.types import DataOptions
    from tfpare.measure.types import BenchmarkOptions


@expanded(timed=timing_options, reading=data_options)
def benchmark(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL…", help="Models to time; the others are held against the first.")
    ],
    *,
    timed: BenchmarkOptions,
    rate: Annotated[
        float,
        typer.Option(
            metavar="N", min=0.0, help="Calls a second that arrive at random and do not wait for the model (Poisson)."
        ),
    ] = 0.0,
    min_effect: Annotated[
        float, typer.Option(metavar="X", min=0.0, help="Smaller relative differences are not called one.")
    ] = 0.03,
    profile: Annotated[bool, typer.Option("--profile", help="Also trace calls: time by op and by node.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write graph and trace for TensorBoard.")
    ] = None,
    intra_threads: Annotated[int, typer.Option(metavar="N", min=0, help="Threads inside ops (0: automatic).")] = 0,
    inter_threads: Annotated[int, typer.Option(metavar="N", min=0, help="Ops at the same time (0: automatic).")] = 0,
    op_library: OpLibraries = None,
    reading: DataOptions,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Times models in fresh processes that take turns; for two or more, says whether they differ."""
    from tfpare.cli.bar import progress_bar

    with working(debug) as progress:
        from tfpare.measure.benchmark import benchmark as run
        from tfpare.report_benchmark import render

        progress("reading")
        load_op_libraries(op_library or ())
        options = replace(
            timed,
            rate=rate,
            min_effect=min_effect,
            profile=profile,
            tensorboard=tensorboard,
            intra_threads=intra_threads,
            inter_threads=inter_threads,
        )
    with stdout_to_stderr(), progress_bar() as bar:
        report = run(*models, options=options, data_options=reading, progress=bar)
    report.command = command_line()
    show(report, as_json, render(report))
