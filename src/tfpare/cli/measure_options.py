"""Options that the measuring commands share: how models are called and for how long, and what metrics look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli.common import InputFiles, InputNames, OutputNames, TagSet, split, tags
from tfpare.cli.data_options import Constants, Data
from tfpare.errors import UsageError, nearest

if TYPE_CHECKING:
    from tfpare.measure.types import BenchmarkOptions, Via

Batches = Annotated[str, typer.Option("--batch", metavar="1,8,32", help="Rows of a timed call.")]
Streams = Annotated[int, typer.Option("--streams", metavar="N", min=1, help="Callers at the same time.")]
Repeats = Annotated[int, typer.Option("--repeats", metavar="N", min=1, help="Fresh processes for each model.")]
MinSeconds = Annotated[
    float, typer.Option("--min-seconds", metavar="S", min=0.0, help="Warm calls of each kind take at least so long.")
]
MinRuns = Annotated[int, typer.Option("--min-runs", metavar="N", min=1, help="Warm calls of each kind, at least.")]
CallPath = Annotated[
    str,
    typer.Option(
        "--via",
        metavar="signature|session|tfsm",
        help="Call path [signature functions where all models have them, else a Session]",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of drawn inputs and arrival times.")]
CalledSignature = Annotated[
    str | None, typer.Option("--signature_def", metavar="NAME", help="Signature to call. [serving_default]")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="top1, top5, accuracy, auc, mse or module:function; needs labels. Repeatable.",
    ),
]
PageFile = Annotated[Path | None, typer.Option("--report", metavar="R.html", help="Also write a page about it.")]
ReplacePage = Annotated[bool, typer.Option("--overwrite", help="Replace the page if it exists.")]
MetricOutput = Annotated[str | None, typer.Option("--output", metavar="KEY", help="Output that metrics look at.")]


def timing_options(
    data: Data = None,
    batch: Batches = "1",
    streams: Streams = 1,
    repeats: Repeats = 7,
    min_seconds: MinSeconds = 10.0,
    min_runs: MinRuns = 50,
    via: CallPath = "auto",
    tag_set: TagSet = None,
    signature_def: CalledSignature = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    inputs: InputFiles = None,
    input_exprs: Constants = None,
    seed: Seed = 0,
) -> BenchmarkOptions:
    """The options that `benchmark` and `compare` have in common as what `tfpare.measure` takes.

    Raises:
        UsageError: one is not of the form that its help says.
    """
    from tfpare.measure.types import BenchmarkOptions

    return BenchmarkOptions(
        tags=tags(tag_set),
        signature=signature_def or "",
        input_names=split(input_names),
        output_names=split(output_names),
        batches=_batch_sizes(batch),
        streams=streams,
        repeats=repeats,
        min_seconds=min_seconds,
        min_runs=min_runs,
        via=_call_path(via),
        data=data,
        inputs=inputs or "",
        input_exprs=(input_exprs or "") if data is None else "",  # beside data they are that data's constants
        seed=seed,
    )


def _batch_sizes(text: str) -> tuple[int, ...]:
    parts = split([text])
    if not parts or not all(p.isdigit() and int(p) for p in parts):
        raise UsageError(f"--batch takes numbers above 0, such as 1,8,32, not {text!r}.")
    return tuple(dict.fromkeys(int(p) for p in parts))


def _call_path(name: str) -> Via:
    from tfpare.measure.types import Via

    known = [v.value for v in Via]
    if name not in known:
        raise UsageError(f"--via {name!r} is unknown.{nearest(name, known)}")
    return Via(name)
