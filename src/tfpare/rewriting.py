"""What the user decides about the rewriting, as a pipeline over the models that were read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from tfpare.api_types import OptimizeOptions, Progress
from tfpare.io import write
from tfpare.io.read import ReadOptions
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions
from tfpare.pipeline import Pipeline, make_pipeline
from tfpare.recording import Recorder


def pipeline_of(options: OptimizeOptions, stop_after: int | None = None) -> Pipeline:
    """The pipeline that the options ask for.

    Raises:
        UsageError: an unknown preset, pass or rule, or a precision that the preset does not allow.
    """
    passes = PassOptions(
        options.freeze_limit_bytes,
        remove_asserts=options.remove_asserts,
        bind=options.bind,
        layout=options.layout,
        precision=options.precision,
        int8=options.int8,
    )
    return make_pipeline(options.preset, options.disable, options.only, passes, stop_after)


def rewrite(
    models: list[Model],
    options: OptimizeOptions,
    progress: Progress,
    stop_after: int | None = None,
    recorders: Sequence[Recorder] = (),
) -> Pipeline:
    """Rewrites the models in place; returns the pipeline with its reports."""
    pipeline = pipeline_of(options, stop_after)
    for model, recorder in zip_longest(models, recorders):
        pipeline.recorder = recorder
        pipeline.run(model, progress)
    return pipeline


def read_options(options: OptimizeOptions, target: Path) -> ReadOptions:
    """How the input of a run with this output is read."""
    names = options.input_names, options.output_names
    return ReadOptions(options.tags, options.signatures, *names, write.is_frozen_target(target))
