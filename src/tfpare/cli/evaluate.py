"""`tfpare evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli.common import (
    DebugFlag,
    InputNames,
    JsonFlag,
    ModelArgument,
    OpLibraries,
    OutputNames,
    TagSet,
    command_line,
    load_op_libraries,
    show,
    split,
    stdout_to_stderr,
    tags,
    working,
)
from tfpare.cli.data_options import Data, data_options
from tfpare.cli.groups import expanded
from tfpare.cli.measure_options import CalledSignature, MetricOutput, Metrics, PageFile, ReplacePage
from tfpare.errors import UsageError

if TYPE_CHECKING:
    from tfpare.data.types import DataOptions


@expanded(reading=data_options)
def evaluate(
    model: ModelArgument,
    *,
    data: Data = None,
    metric: Metrics = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="A second model: agreement, and with --metric a paired test.")
    ] = None,
    output: MetricOutput = None,
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
    signature_def: CalledSignature = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    op_library: OpLibraries = None,
    reading: DataOptions,
    page: PageFile = None,
    overwrite: ReplacePage = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Measures a model's quality on labelled data (--metric, by default top1), or its agreement with another model."""
    from tfpare.cli.bar import counter
    from tfpare.html.files import check_page, write_page

    if data is None:
        raise UsageError("Give --data: an .npz, a directory of pictures, TFRecords, a .csv or .tsv, module:function.")
    if page is not None:
        check_page(page, overwrite)
    with working(debug):
        from tfpare.evaluation.run import evaluate as run
        from tfpare.evaluation.types import EvaluateOptions
        from tfpare.html.page import render_page
        from tfpare.report_evaluate import render

        load_op_libraries(op_library or ())
        options = EvaluateOptions(
            metrics=split(metric) or (() if against else ("top1",)),
            against=against,
            data=reading,
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
    report.command = command_line()
    if page is not None:
        write_page(render_page(report), page)
    show(report, as_json, render(report))
