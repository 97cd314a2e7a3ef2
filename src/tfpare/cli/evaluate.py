"""`tfpare evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli import data_options as data_cli
from tfpare.cli.common import (
    DebugFlag,
    InputNames,
    JsonFlag,
    ModelArgument,
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


def evaluate(
    model: ModelArgument,
    data: data_cli.Data = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="top1, top5, accuracy, auc, mse or module:function; needs labels. Repeatable. [top1]"
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="A second model: agreement, and with --metric a paired test.")
    ] = None,
    output: Annotated[str | None, typer.Option(metavar="KEY", help="Output that metrics look at.")] = None,
    positive_class: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="auc: the class that counts as positive.")
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Samples in a call, where that is free.")] = 32,
    engine: Annotated[str, typer.Option(metavar="local|ray", help="Where shards of the data are evaluated.")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT|auto", help="Ray cluster [the one that Ray finds, else a new one]")
    ] = None,
    shards: Annotated[int | None, typer.Option(metavar="N", min=1, help="Parts for Ray [4 for each CPU]")] = None,
    cpus_per_shard: Annotated[int, typer.Option(metavar="N", min=1, help="CPUs that a part claims.")] = 1,
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
    input_exprs: data_cli.Constants = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Measures a model's quality on labelled data, or how far it agrees with another model on any data."""
    from tfpare.cli.counter import counter

    if data is None:
        raise UsageError("Give --data: an .npz, a directory of pictures, TFRecords, a .csv or .tsv, module:function.")
    with working(debug):
        from tfpare.evaluation.run import evaluate as run
        from tfpare.evaluation.types import EvaluateOptions
        from tfpare.report_evaluate import render

        load_op_libraries(op_library or ())
        options = EvaluateOptions(
            metrics=split(metric) or (() if against else ("top1",)),
            against=against,
            data=data_cli.data_options(
                resize,
                resize_method,
                central_crop,
                scale,
                mean,
                std,
                channel_order,
                layout,
                label_key,
                label_offset,
                classes,
                rename,
                columns,
                records,
                limit,
                skip_bad,
                input_exprs,
            ),
            signature=signature_def or "",
            output=output or "",
            positive_class=positive_class,
            batch_size=batch,
            engine=engine,
            ray_address=ray_address,
            shards=shards,
            cpus_per_shard=cpus_per_shard,
            tags=tags(tag_set),
            input_names=split(input_names),
            output_names=split(output_names),
        )
    with stdout_to_stderr(), counter("samples", not debug) as (step, count):
        report = run(model, data, options, step, count)
    show(report, as_json, render(report))
