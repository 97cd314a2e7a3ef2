"""`tfpare verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import (
    DataFile,
    DebugFlag,
    InputExprs,
    InputFiles,
    InputNames,
    JsonFlag,
    OpLibraries,
    OutputNames,
    Signatures,
    TagSet,
    Tolerance,
    load_op_libraries,
    show,
    split,
    tags,
    working,
)


def verify(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The original model.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="The model that should answer the same.")],
    tag_set: TagSet = None,
    signature_def: Signatures = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    op_library: OpLibraries = None,
    data: DataFile = None,
    inputs: InputFiles = None,
    input_exprs: InputExprs = None,
    tolerance: Tolerance = None,
    batch: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, help="Batch size to draw. Repeatable. [1, 3]")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the drawn inputs.")] = 0,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Feeds the same inputs to two models; exit code 1 when their answers differ beyond the tolerance."""
    with working(debug) as progress:
        from tfpare.report import render_verification
        from tfpare.verifier import VerifyOptions
        from tfpare.verifier import verify as run

        load_op_libraries(op_library or ())
        options = VerifyOptions(
            tags=tags(tag_set),
            signatures=split(signature_def),
            input_names=split(input_names),
            output_names=split(output_names),
            data=data,
            inputs=inputs or "",
            input_exprs=input_exprs or "",
            batches=tuple(batch or (1, 3)),
            tolerance=tolerance,
            seed=seed,
        )
        report = run(before, after, options, progress)
    show(report, as_json, render_verification(report))
    if not report.ok:
        raise typer.Exit(1)
