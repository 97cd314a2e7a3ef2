"""The short measurement that a report of `optimize` comes with."""

from __future__ import annotations

from tfpare.api_types import OptimizeOptions, OptimizeReport
from tfpare.errors import TfpareError
from tfpare.measure.benchmark import Progress, benchmark
from tfpare.measure.types import BenchmarkOptions

# Enough for an interval, in about a minute for a model of some ten milliseconds; `tfpare benchmark` takes its time.
_REPEATS, _SECONDS, _RUNS = 3, 3.0, 30


def measure_briefly(report: OptimizeReport, options: OptimizeOptions, progress: Progress) -> None:
    """Adds the benchmark of original and result to a report, or a note that says why there is none."""
    proof = options.verification
    measured = BenchmarkOptions(
        tags=options.tags,
        signature=options.signatures[0] if len(options.signatures) == 1 else "",
        input_names=options.input_names,
        output_names=options.output_names,
        repeats=_REPEATS,
        min_seconds=_SECONDS,
        min_runs=_RUNS,
        data=str(proof.data) if proof.data else None,
        inputs=proof.inputs,
        input_exprs=proof.input_exprs,
        profile=True,
    )
    try:
        report.benchmark = benchmark(report.input, report.output, options=measured, progress=progress)
    except TfpareError as error:
        report.notes.append(f"times were not measured: {error}")
