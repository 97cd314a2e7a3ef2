"""`tfpare.compare`: times, memory, size, answers and quality of two models in one table."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from tfpare.errors import TfpareError
from tfpare.evaluation.run import evaluate
from tfpare.evaluation.types import EvaluateOptions, EvaluationReport
from tfpare.io.read import ReadOptions, read
from tfpare.measure.benchmark import Progress, benchmark
from tfpare.measure.compare_types import CompareOptions, CompareReport, Row
from tfpare.measure.rows import evaluation_rows, node_row, resource_rows, time_rows, verification_rows
from tfpare.measure.subjects import exported
from tfpare.measure.types import BenchmarkReport
from tfpare.proof import VerifyOptions, VerifyReport
from tfpare.stats import model_stats
from tfpare.verifier import verify

_BENCHMARK_SHARE = 0.7  # of the whole time, roughly: for the progress bar


def compare(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    options: CompareOptions | None = None,
    progress: Progress = lambda step, share: None,
) -> CompareReport:
    """Compares two models in all that users ask about.

    Args:
        before: the original.
        after: what is to take its place.
        options: what to measure.
        progress: told what is being done, and the share of all work that is done.

    Raises:
        UsageError: the call is wrong; UnsupportedModel: one is no model.
        RunRefused: TensorFlow does not load or run a model; ModelCrashed: its process died.
    """
    options = options or CompareOptions()
    sources = [Path(os.path.expanduser(m)) for m in (before, after)]
    with ExitStack() as stack:
        paths = [exported(s, stack) for s in sources]
        return _Comparison(sources, paths, options, progress).run()


class _Comparison:
    """One run of `compare`; `paths` are what Keras files were exported to."""

    def __init__(self, sources: list[Path], paths: list[Path], options: CompareOptions, progress: Progress) -> None:
        self._sources, self._paths, self._options, self._progress = sources, paths, options, progress
        self._notes: list[str] = []

    def run(self) -> CompareReport:
        """Times first: what follows would warm the machine up for one of the models."""
        begin = time.perf_counter()
        times = benchmark(
            *self._sources,
            options=self._options.benchmark,
            data_options=self._options.data,
            progress=lambda step, share: self._progress(step, share * _BENCHMARK_SHARE),
        )
        self._progress("comparing answers", _BENCHMARK_SHARE)
        verification = self._verify()
        self._progress("evaluating", 0.85)
        evaluation = self._evaluate()
        nodes = self._nodes(self._paths[0]), self._nodes(self._paths[1])
        return CompareReport(
            before=self._sources[0],
            after=self._sources[1],
            ok=_is_ok(verification, evaluation),
            rows=_rows(times, nodes, verification, evaluation),
            benchmark=times,
            nodes=nodes,
            verification=verification,
            evaluation=evaluation,
            notes=[*times.notes, *self._notes],
            seconds=time.perf_counter() - begin,
        )

    def _verify(self) -> VerifyReport | None:
        timed = self._options.benchmark
        options = VerifyOptions(
            tags=timed.tags,
            signatures=(timed.signature,) if timed.signature else (),
            input_names=timed.input_names,
            output_names=timed.output_names,
            inputs=timed.inputs,
            input_exprs=timed.input_exprs,
            tolerance=self._options.tolerance,
            seed=timed.seed,
        )
        try:
            return verify(self._paths[0], self._paths[1], options)
        except TfpareError as error:
            self._notes.append(f"answers were not compared: {error}")
            return None

    def _evaluate(self) -> EvaluationReport | None:
        timed = self._options.benchmark
        if timed.data is None:
            return None
        options = EvaluateOptions(
            metrics=self._options.metrics,
            against=self._paths[1],
            data=self._options.data,
            signature=timed.signature,
            output=self._options.output,
            batch_size=self._options.batch_size,
            tags=timed.tags,
            input_names=timed.input_names,
            output_names=timed.output_names,
        )
        return evaluate(self._paths[0], timed.data, options)

    def _nodes(self, path: Path) -> int | None:
        timed = self._options.benchmark
        options = ReadOptions(timed.tags, (), timed.input_names, timed.output_names)
        try:
            return model_stats(read(path, options), path).nodes
        except TfpareError as error:
            self._notes.append(f"nodes of {path} were not counted: {error}")
            return None


def _is_ok(verification: VerifyReport | None, evaluation: EvaluationReport | None) -> bool:
    if evaluation is not None and evaluation.paired:
        return all(t.verdict != "loss" for t in evaluation.paired)
    return verification is None or verification.ok


def _rows(
    times: BenchmarkReport,
    nodes: tuple[int | None, int | None],
    verification: VerifyReport | None,
    evaluation: EvaluationReport | None,
) -> list[Row]:
    rows = [*time_rows(times), *resource_rows(*times.models), node_row(*nodes)]
    if evaluation is not None:
        rows += evaluation_rows(evaluation)
    if verification is not None:
        rows += verification_rows(verification, with_agreement=evaluation is None)
    return rows
