"""`tfpare view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


def view(
    model: ModelArgument,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write graph and trace of a call for TensorBoard instead.")
    ] = None,
    tag_set: TagSet = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    op_library: OpLibraries = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Opens a model in Netron, when that is installed; or writes it for TensorBoard, which runs the model once."""
    from rich.text import Text

    if tensorboard is None:
        from tfpare.netron import open_netron

        with stdout_to_stderr():
            shown = open_netron(model)
        show({"viewer": "netron", "file": str(shown)}, as_json, Text(f"shown {shown}"))
        return
    with working(debug) as progress:
        from tfpare.measure.benchmark import benchmark
        from tfpare.measure.types import BenchmarkOptions

        load_op_libraries(op_library or ())
        options = BenchmarkOptions(
            tags=tags(tag_set),
            input_names=split(input_names),
            output_names=split(output_names),
            repeats=1,
            min_seconds=0.0,
            min_runs=1,
            measure_zip=False,
            tensorboard=tensorboard,
        )
        benchmark(model, options=options, progress=lambda step, share: progress(step))
    written = {"viewer": "tensorboard", "directory": str(tensorboard)}
    show(written, as_json, Text(f"written {tensorboard}; look at it with: tensorboard --logdir {tensorboard}"))
