"""`tfpare compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli import data_options as data_cli
from tfpare.cli.benchmark import batch_sizes, call_path
from tfpare.cli.common import (
    DebugFlag,
    InputExprs,
    InputFiles,
    InputNames,
    JsonFlag,
    OpLibraries,
    OutputNames,
    TagSet,
    Tolerance,
    load_op_libraries,
    show,
    split,
    stdout_to_stderr,
    tags,
    working,
)
from tfpare.errors import UsageError


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The original model.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="What is to take its place.")],
    data: data_cli.Data = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="top1, top5, accuracy, auc, mse or module:function; needs labels."),
    ] = None,
    output: Annotated[str | None, typer.Option(metavar="KEY", help="Output that metrics look at.")] = None,
    batch: Annotated[str, typer.Option(metavar="1,8,32", help="Rows of a timed call.")] = "1",
    streams: Annotated[int, typer.Option(metavar="N", min=1, help="Callers at the same time.")] = 1,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Fresh processes for each model.")] = 7,
    min_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="Warm calls of each kind take at least so long.")
    ] = 10.0,
    min_runs: Annotated[int, typer.Option(metavar="N", min=1, help="Warm calls of each kind, at least.")] = 50,
    via: Annotated[
        str,
        typer.Option(
            metavar="signature|session|tfsm",
            help="Call path [signature functions where both have them, else a Session]",
            show_default=False,
        ),
    ] = "auto",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    tag_set: TagSet = None,
    signature_def: Annotated[
        str | None, typer.Option("--signature_def", metavar="NAME", help="Signature to call. [serving_default]")
    ] = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    op_library: OpLibraries = None,
    resize: data_cli.Resize = None,
    resize_method: data_cli.ResizeMethod = "bilinear",
    central_crop: data_cli.CentralCrop = None,
    scale: data_cli.Scale = "1",
    mean: data_cli.Mean = None,
    std: data_cli.Std = None,
    channel_order: data_cli.ChannelOrder = "RGB",
    layout: data_cli.Layout = None,
    label_key: data_cli.LabelKey = None,
    label_offset: data_cli.LabelOffset = 0,
    classes: data_cli.Classes = None,
    rename: data_cli.Rename = None,
    columns: data_cli.Columns = None,
    records: data_cli.Records = "auto",
    limit: data_cli.Limit = None,
    skip_bad: data_cli.SkipBad = 0,
    inputs: InputFiles = None,
    input_exprs: InputExprs = None,
    tolerance: Tolerance = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of drawn inputs.")] = 0,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Latency, throughput, memory, size, answers and accuracy of two models in one table. Exit code 1: a loss."""
    from tfpare.cli.bar import progress_bar

    if metric and data is None:
        raise UsageError("--metric needs labelled samples: give --data.")
    with working(debug) as progress:
        from tfpare.measure.compare import compare as run
        from tfpare.measure.compare_types import CompareOptions
        from tfpare.measure.types import BenchmarkOptions
        from tfpare.report_compare import markdown as as_markdown
        from tfpare.report_compare import render

        progress("reading")
        load_op_libraries(op_library or ())
        timed = BenchmarkOptions(
            tags=tags(tag_set),
            signature=signature_def or "",
            input_names=split(input_names),
            output_names=split(output_names),
            batches=batch_sizes(batch),
            streams=streams,
            repeats=repeats,
            min_seconds=min_seconds,
            min_runs=min_runs,
            via=call_path(via),
            data=data,
            inputs=inputs or "",
            input_exprs=input_exprs or "",
            seed=seed,
        )
        reading = data_cli.data_options(
            resize=resize,
            resize_method=resize_method,
            central_crop=central_crop,
            scale=scale,
            mean=mean,
            std=std,
            channel_order=channel_order,
            layout=layout,
            label_key=label_key,
            label_offset=label_offset,
            classes=classes,
            rename=rename,
            columns=columns,
            records=records,
            limit=limit,
            skip_bad=skip_bad,
        )
        options = CompareOptions(timed, reading, split(metric), output or "", tolerance)
    with stdout_to_stderr(), progress_bar() as bar:
        report = run(before, after, options, bar)
    report.benchmark.command = shlex.join(["tfpare", *sys.argv[1:]])
    if markdown and not as_json:
        print(as_markdown(report))
    else:
        show(report, as_json, render(report))
    if not report.ok:
        raise typer.Exit(1)
