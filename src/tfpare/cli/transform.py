"""`tfpare transform`: the Graph Transform Tool's command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, Signatures, TagSet, Tolerance, show, split, tags, working
from tfpare.errors import UsageError


def transform(
    transforms: Annotated[
        list[str] | None, typer.Option("--transforms", metavar="'NAME(ARG=VALUE,…) …'", help="What to do, in order.")
    ] = None,
    in_graph: Annotated[
        Path | None, typer.Option("--in_graph", metavar="FILE", help="GraphDef to read, binary or text.")
    ] = None,
    out_graph: Annotated[
        Path | None,
        typer.Option("--out_graph", metavar="FILE", help="GraphDef to write; replaced if it exists, as ever."),
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--inputs", metavar="A,B", help="Nodes or tensors that callers feed.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--outputs", metavar="C,D", help="Nodes or tensors that callers fetch.")
    ] = None,
    output_as_text: Annotated[
        bool, typer.Option("--output_as_text/--nooutput_as_text", help="Write text (also for FILE.pbtxt).")
    ] = False,
    in_saved_model: Annotated[
        Path | None, typer.Option("--in_saved_model", metavar="DIR", help="SavedModel to read instead.")
    ] = None,
    out_saved_model: Annotated[
        Path | None, typer.Option("--out_saved_model", metavar="DIR", help="SavedModel to write: same signatures.")
    ] = None,
    tag_set: TagSet = None,
    signature_def: Signatures = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the answers; write nothing when they differ.")
    ] = False,
    tolerance: Tolerance = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out_saved_model if it exists.")] = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Runs transforms of the Graph Transform Tool, in its own syntax."""
    source, target = _files(in_graph, out_graph, in_saved_model, out_saved_model)
    if not "".join(transforms or ()).strip():
        raise UsageError("Say what to do with --transforms 'NAME …'; `tfpare passes` lists the transforms.")
    with working(debug) as progress:
        from tfpare.compat.files import TransformOptions
        from tfpare.compat.files import transform as run
        from tfpare.report_transform import render

        options = TransformOptions(
            split(inputs),
            split(outputs),
            tags(tag_set),
            split(signature_def),
            as_text=output_as_text,
            overwrite=overwrite or target == out_graph,
            verify=verify,
            tolerance=tolerance,
        )
        report = run(source, target, transforms or (), options, progress)
    show(report, as_json, render(report))
    if report.verification is not None and not report.verification.ok:
        raise typer.Exit(1)


def _files(
    in_graph: Path | None, out_graph: Path | None, in_saved_model: Path | None, out_saved_model: Path | None
) -> tuple[Path, Path]:
    if in_graph is not None and out_graph is not None and in_saved_model is None and out_saved_model is None:
        return in_graph, out_graph
    if in_saved_model is not None and out_saved_model is not None and in_graph is None and out_graph is None:
        return in_saved_model, out_saved_model
    raise UsageError(
        "Give either --in_graph FILE and --out_graph FILE, or --in_saved_model DIR and --out_saved_model DIR."
    )
