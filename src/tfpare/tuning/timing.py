"""Candidates and the original taking turns in fresh processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfpare.api_types import OptimizeOptions, Progress
from tfpare.errors import TfpareError
from tfpare.measure.benchmark import benchmark
from tfpare.measure.types import BenchmarkOptions, BenchmarkReport, Interval
from tfpare.quant.options import QuantOptions

_REPEATS, _SECONDS, _RUNS = 3, 3.0, 30


@dataclass(slots=True)
class Timing:
    """By candidate, in the order in which they were given.

    Attributes:
        speeds: time of a warm call over that of the original, or of the first candidate where that does not run here.
        milliseconds: of the shortest call.
        notes: how far the numbers can be trusted.
    """

    speeds: list[Interval] = field(default_factory=list[Interval])
    milliseconds: list[float] = field(default_factory=list[float])
    notes: list[str] = field(default_factory=list[str])


def time_candidates(
    original: Path, candidates: Sequence[Path], settings: QuantOptions, options: OptimizeOptions, progress: Progress
) -> Timing:
    """Times signature calls at batch 1 on the user's samples, else on drawn inputs.

    Raises:
        TfpareError: the candidates do not run.
    """
    try:
        return _timing(_benchmark([original, *candidates], settings, options, progress), skip=1)
    except TfpareError:  # an original that this TensorFlow does not run
        found = _timing(_benchmark(candidates, settings, options, progress), skip=0)
        found.notes.append("the original does not run here: times are relative to the float model")
        return found


def _timing(report: BenchmarkReport, skip: int) -> Timing:
    """Of the models but so many at the start; the first model is its own measure."""
    ratios = {r.model: r.interval for r in report.ratios if r.workload is not None and r.workload.feeding}
    ratios[0] = Interval(1.0, 1.0, 1.0)
    places = range(skip, len(report.models))
    milliseconds = [report.models[k].warm[0].latency.min_ms for k in places]
    return Timing([ratios[k] for k in places], milliseconds, list(report.warnings))


def _benchmark(
    models: Sequence[Path], settings: QuantOptions, options: OptimizeOptions, progress: Progress
) -> BenchmarkReport:
    measured = BenchmarkOptions(
        tags=options.tags,
        signature=settings.signature,
        input_names=options.input_names,
        output_names=options.output_names,
        repeats=_REPEATS,
        min_seconds=_SECONDS,
        min_runs=_RUNS,
        data=settings.data or None,
        measure_zip=False,
    )

    def tell(step: str, share: float) -> None:
        progress(f"time models, {share:.0%}: {step}")

    return benchmark(*models, options=measured, data_options=settings.data_options, progress=tell)
