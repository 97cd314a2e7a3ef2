"""`tfpare benchmark`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli import data_options as data_cli
from tfpare.cli.common import (
    DebugFlag,
    InputExprs,
    InputFiles,
    InputNames,
    JsonFlag,
    OpLibraries,
    OutputNames,
    TagSet,
    load_op_libraries,
    show,
    split,
    stdout_to_stderr,
    tags,
    working,
)
from tfpare.errors import UsageError

if TYPE_CHECKING:
    from tfpare.measure.types import Via


def benchmark(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL…", help="Models to time; the others are held against the first.")
    ],
    batch: Annotated[str, typer.Option(metavar="1,8,32", help="Rows of a call.")] = "1",
    streams: Annotated[int, typer.Option(metavar="N", min=1, help="Callers at the same time.")] = 1,
    rate: Annotated[
        float,
        typer.Option(
            metavar="N", min=0.0, help="Calls a second that arrive at random and do not wait for the model (Poisson)."
        ),
    ] = 0.0,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Fresh processes for each model.")] = 7,
    min_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="Warm calls of each kind take at least so long.")
    ] = 10.0,
    min_runs: Annotated[int, typer.Option(metavar="N", min=1, help="Warm calls of each kind, at least.")] = 50,
    min_effect: Annotated[
        float, typer.Option(metavar="X", min=0.0, help="Smaller relative differences are not called one.")
    ] = 0.03,
    via: Annotated[
        str,
        typer.Option(
            metavar="signature|session|tfsm",
            help="Call path [signature functions where all models have them, else a Session]",
            show_default=False,
        ),
    ] = "auto",
    profile: Annotated[bool, typer.Option("--profile", help="Also trace calls: time by op and by node.")] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write graph and trace for TensorBoard.")
    ] = None,
    intra_threads: Annotated[int, typer.Option(metavar="N", min=0, help="Threads inside ops (0: automatic).")] = 0,
    inter_threads: Annotated[int, typer.Option(metavar="N", min=0, help="Ops at the same time (0: automatic).")] = 0,
    tag_set: TagSet = None,
    signature_def: Annotated[
        str | None, typer.Option("--signature_def", metavar="NAME", help="Signature to call. [serving_default]")
    ] = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    op_library: OpLibraries = None,
    data: data_cli.Data = None,
    resize: data_cli.Resize = None,
    scale: data_cli.Scale = "1",
    mean: data_cli.Mean = None,
    std: data_cli.Std = None,
    channel_order: data_cli.ChannelOrder = "RGB",
    inputs: InputFiles = None,
    input_exprs: InputExprs = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of drawn inputs and arrival times.")] = 0,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Times models in fresh processes that take turns; for two or more, says whether they differ."""
    from tfpare.cli.bar import progress_bar

    with working(debug) as progress:
        from tfpare.measure.benchmark import benchmark as run
        from tfpare.measure.types import BenchmarkOptions
        from tfpare.report_benchmark import render

        progress("reading")
        load_op_libraries(op_library or ())
        options = BenchmarkOptions(
            tags=tags(tag_set),
            signature=signature_def or "",
            input_names=split(input_names),
            output_names=split(output_names),
            batches=batch_sizes(batch),
            streams=streams,
            rate=rate,
            repeats=repeats,
            min_seconds=min_seconds,
            min_runs=min_runs,
            min_effect=min_effect,
            via=call_path(via),
            data=data,
            inputs=inputs or "",
            input_exprs=input_exprs or "",
            seed=seed,
            profile=profile,
            tensorboard=tensorboard,
            intra_threads=intra_threads,
            inter_threads=inter_threads,
        )
        reading = data_cli.data_options(resize, scale=scale, mean=mean, std=std, channel_order=channel_order)
    with stdout_to_stderr(), progress_bar() as bar:
        report = run(*models, options=options, data_options=reading, progress=bar)
    report.command = shlex.join(["tfpare", *sys.argv[1:]])
    show(report, as_json, render(report))


def batch_sizes(text: str) -> tuple[int, ...]:
    """`1,8,32`.

    Raises:
        UsageError: it is something else.
    """
    parts = split([text])
    if not parts or not all(p.isdigit() and int(p) for p in parts):
        raise UsageError(f"--batch takes numbers above 0, such as 1,8,32, not {text!r}.")
    return tuple(dict.fromkeys(int(p) for p in parts))


def call_path(name: str) -> Via:
    """`--via`.

    Raises:
        UsageError: there is no such path.
    """
    from tfpare.errors import nearest
    from tfpare.measure.types import Via

    known = [v.value for v in Via]
    if name not in known:
        raise UsageError(f"--via {name!r} is unknown.{nearest(name, known)}")
    return Via(name)
