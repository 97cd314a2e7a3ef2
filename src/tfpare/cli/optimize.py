"""`tfpare optimize`: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.cli.common import (
    DebugFlag,
    InputExprs,
    InputFiles,
    InputNames,
    JsonFlag,
    ModelArgument,
    OpLibraries,
    OutputNames,
    Signatures,
    TagSet,
    Tolerance,
    command_line,
    load_op_libraries,
    show,
    split,
    stdout_to_stderr,
    tags,
    working,
)
from tfpare.cli.data_options import data_options
from tfpare.cli.groups import expanded, without

if TYPE_CHECKING:
    from tfpare.api_types import OptimizeOptions, OptimizeReport
    from tfpare.data.types import DataOptions
    from tfpare.recipe import Recipe

Samples = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Samples. With --precision int8, auto or --max-drop: .npz, pictures, TFRecords, .csv, module:function to "
        "calibrate, judge and prove with. Else: an .npz to prove with.",
    ),
]


@expanded(reading=without(data_options, "layout", "input_exprs"))
def optimize(
    model: ModelArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="A directory (SavedModel) or FILE.pb (frozen graph).")
    ],
    preset: Annotated[
        str | None,
        typer.Option(metavar="exact|fast", help="exact: bit for bit. fast: floats may round otherwise. [fast]"),
    ] = None,
    tag_set: TagSet = None,
    signature_def: Signatures = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    disable: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="Rules and passes to leave out. Repeatable.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="The only rules and passes to use. Repeatable.")
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Value that a placeholder gets for good. Repeatable."),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="auto|NHWC|NCHW|keep", help="Layout of convolutions; auto: NHWC where no GPU is. [keep]"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|bf16|int8|fp16|fp32|keep",
            help="bf16: half the file, computed in bfloat16. int8: a quarter, computed in 8 bits with --data. fp16: "
            "stored as float16. fp32: back. auto: what is measured to be fastest within --max-drop. [keep]",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What --max-drop is about: top1, top5, accuracy, auc, mse, module:function."),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Most that --metric may lose on samples apart from those for calibration; without --metric, the share "
            "of samples whose top class may change. Layers stay in float until it fits. [0.01 with auto]",
        ),
    ] = None,
    eval_data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Samples to measure the loss on. [those of --data that are left]")
    ] = None,
    output_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Output that --metric looks at. [the class scores]")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="minmax|percentile|entropy|mse|moving-average", help="int8: how ranges follow from --data. [mse]"
        ),
    ] = None,
    percentile: Annotated[
        float | None,
        typer.Option(metavar="P", help="int8: share of values that --calibration percentile keeps. [99.99]"),
    ] = None,
    calibration_samples: Annotated[
        int | None, typer.Option(metavar="N", help="int8: most samples of --data to measure ranges with. [1000]")
    ] = None,
    keep_float: Annotated[
        list[str] | None, typer.Option(metavar="GLOB,…", help="int8, bf16: layers that stay in float32. Repeatable.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(metavar="fp32|bf16", help="int8: precision of what is not in 8 bits. [fp32]")
    ] = None,
    weights_only: Annotated[
        bool | None, typer.Option("--weights-only", help="int8: only store weights in 8 bits, compute in float.")
    ] = None,
    portable: Annotated[
        bool | None, typer.Option("--portable", help="int8: rounded floats that run anywhere, not oneDNN's kernels.")
    ] = None,
    reduce_range: Annotated[
        bool | None,
        typer.Option(
            "--reduce-range/--no-reduce-range",
            help="int8: 7-bit weights, right on CPUs without VNNI too; or 8-bit ones. [what this CPU needs]",
        ),
    ] = None,
    work_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="int8: keeps measured ranges; a stopped run goes on there.")
    ] = None,
    force: Annotated[
        bool | None, typer.Option("--force", help="Convert to a precision that this CPU lacks instructions for.")
    ] = None,
    remove_asserts: Annotated[
        bool | None, typer.Option("--remove-asserts", help="Also remove Assert and Print.")
    ] = None,
    freeze_limit: Annotated[
        str | None,
        typer.Option(
            "--freeze-limit", metavar="SIZE", help="Most that all constants may take; larger variables stay. [1.9GB]"
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Settings from a file; flags replace them.")
    ] = None,
    op_library: OpLibraries = None,
    data: Samples = None,
    reading: DataOptions,
    inputs: InputFiles = None,
    input_exprs: InputExprs = None,
    tolerance: Tolerance = None,
    no_verify: Annotated[bool | None, typer.Option("--no-verify", help="Do not compare the answers.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="R.html", help="Write a page about the run; measures both models briefly.")
    ] = None,
    no_benchmark: Annotated[
        bool | None, typer.Option("--no-benchmark", help="A report without measured times.")
    ] = None,
    overwrite: Annotated[bool | None, typer.Option("--overwrite", help="Replace OUT if it exists.")] = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Makes a model small and fast, proves that it answers the same, and writes a drop-in to OUT."""
    flags: dict[str, object] = {
        "preset": preset,
        "tag_set": tags(tag_set),
        "signature_def": split(signature_def) or None,
        "input_names": split(input_names) or None,
        "output_names": split(output_names) or None,
        "disable": split(disable) or None,
        "only": split(only) or None,
        "layout": layout,
        "precision": precision,
        "metric": split(metric) or None,
        "max_drop": max_drop,
        "eval_data": eval_data,
        "output_key": output_key,
        "calibration": calibration,
        "percentile": percentile,
        "calibration_samples": calibration_samples,
        "keep_float": split(keep_float) or None,
        "rest": rest,
        "weights_only": weights_only,
        "portable": portable,
        "reduce_range": reduce_range,
        "work_dir": work_dir,
        "force": force,
        "remove_asserts": remove_asserts,
        "freeze_limit": freeze_limit,
        "op_library": op_library or None,
        "data": data,
        "inputs": inputs,
        "input_exprs": input_exprs,
        "tolerance": tolerance,
        "verify": False if no_verify else None,
        "report": report,
        "benchmark": False if no_benchmark else None,
        "overwrite": overwrite,
    }
    settings = _settings(flags, bind or [], recipe)
    options = replace(settings.options(reading), record=as_json or settings.report is not None)
    if settings.report is not None:
        from tfpare.html.files import check_page

        check_page(settings.report, settings.overwrite)
    with working(debug, start=bool(settings.op_library)) as progress:
        from tfpare.api import optimize as run
        from tfpare.report import render

        load_op_libraries(settings.op_library)
        done = run(model, output, options, progress)
    done.command = command_line()
    if settings.report is not None:
        _write_report(done, settings.report, options, settings.benchmark)
    show(done, as_json, render(done))


def _write_report(done: OptimizeReport, path: Path, options: OptimizeOptions, benchmark: bool) -> None:
    from tfpare.cli.bar import progress_bar
    from tfpare.html.files import write_page
    from tfpare.html.page import render_page
    from tfpare.html.timing import measure_briefly

    if benchmark:
        with stdout_to_stderr(), progress_bar() as bar:
            measure_briefly(done, options, bar)
    write_page(render_page(done), path)


def _settings(flags: dict[str, object], bind: list[str], recipe: Path | None) -> Recipe:
    from tfpare.recipe import make_recipe, parse_binding, read_recipe

    settings = read_recipe(recipe) if recipe else {}
    if recipe:
        make_recipe(settings, str(recipe))
    given = {key: value for key, value in flags.items() if value is not None}
    if bind:
        bound: dict[str, object] = dict(settings.get("bind", {}))
        given["bind"] = bound | dict(parse_binding(b) for b in bind)
    return make_recipe({**settings, **given}, "command line")
