"""The main job as one call: read, rewrite, write aside, prove, publish, tell."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tfpare.api_types import ModelStats, OptimizeOptions, OptimizeReport, Progress
from tfpare.blame import fault_of_input
from tfpare.errors import UnsupportedModel, UsageError, VerificationError
from tfpare.execution import Worker
from tfpare.io import keras_files, start, write
from tfpare.io.read import read, sniff
from tfpare.ir.model import Model
from tfpare.layers import LayerReport, layer_differences
from tfpare.precision.budget import budget_of
from tfpare.precision.cpu import check_cpu
from tfpare.quant.samples import write_proof_inputs
from tfpare.recording import Recorder
from tfpare.rewriting import pipeline_of, read_options, rewrite
from tfpare.stats import file_bytes, model_stats
from tfpare.tuning.search import find_precision
from tfpare.verifier import Verifier, VerifyOptions, VerifyReport, first_difference, runtime_of

__all__ = ["ModelStats", "OptimizeOptions", "OptimizeReport", "Progress", "optimize"]


def optimize(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: OptimizeOptions | None = None,
    progress: Progress = lambda step: None,
) -> OptimizeReport:
    """Makes a model small and fast, proves that it still answers the same, and writes it.

    Args:
        model: SavedModel directory, `.pb`/`.pbtxt`, checkpoint prefix with `.meta`, `.keras`, `.h5`, or hub module.
        output: a directory for a SavedModel, or a `.pb`/`.pbtxt` file for a frozen GraphDef.
        options: what the user decides.
        progress: called with the name of each step as it starts.

    Raises:
        UsageError: the call is wrong; UnsupportedModel: the input is.
        VerificationError: the answers differ; nothing was written.
    """
    source, target = Path(os.path.expanduser(model)), Path(os.path.expanduser(output))
    options = options or OptimizeOptions()
    write.check_target(target, options.overwrite, [source])
    if options.precision == "auto" or options.goal is not None:
        return _optimize_as_found(source, target, options, progress)
    return _Job(source, target, options, progress).run()


def _optimize_as_found(source: Path, target: Path, options: OptimizeOptions, progress: Progress) -> OptimizeReport:
    """With the precision that a search prefers and the proof accepts."""
    found = find_precision(source, target, options, progress)
    for candidate, chosen in found.preferences[:-1]:
        try:
            report = _Job(source, target, chosen, progress).run()
        except VerificationError as error:
            candidate.chosen, candidate.ok, candidate.note = False, False, f"the proof refuses it: {error}"
            found.report.layers = []
            continue
        break
    else:
        candidate, chosen = found.preferences[-1]
        report = _Job(source, target, chosen, progress).run()
    candidate.chosen = True
    report.search = found.report
    report.seconds["search"] = found.report.seconds
    return report


class _Job:
    """One run of `optimize`, with the time of each phase."""

    def __init__(self, source: Path, target: Path, options: OptimizeOptions, progress: Progress) -> None:
        self.source, self.target, self.options, self.progress = source, target, options, progress
        self.verification = _verification(options)
        self.seconds: dict[str, float] = {}
        self.read_options = read_options(options, target)

    @contextmanager
    def phase(self, name: str) -> Generator[None, None, None]:
        """Times a phase and announces it."""
        self.progress(name)
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

    def run(self) -> OptimizeReport:
        """Read, rewrite, write aside, prove, publish."""
        begin = time.perf_counter()
        pipeline_of(self.options)  # unknown names are refused before any work
        check_cpu(self.options.precision, self.options.force)
        if self.options.precision == "int8":
            check_cpu(self.options.int8.rest, self.options.force)
        with ExitStack() as stack:
            worker = self._start_worker(stack)
            path = self._as_saved_model(stack)
            with self.phase("import"):
                start.start_tensorflow()
            with self.phase("read"):
                models = read(path, self.read_options)
            form, before = models[0].form, model_stats(models, self.source)
            verifier = self._start_verifier(stack, worker, models)
            recorders = [Recorder(m) for m in models] if self.options.record else []
            with self.phase("rewrite"), self._input_blamed(path):
                pipeline = rewrite(models, self.options, self.progress, recorders=recorders)
            records = [r.finish(m) for r, m in zip(recorders, models, strict=False)]
            place = stack.enter_context(write.staging(self.target))
            with self.phase("write"), self._input_blamed(path):
                after = model_stats(models, self.target)
                staged = write.write_staged(models, place, self.target)
                after.file_bytes = file_bytes(staged)
            verification = self._prove(verifier, staged, path)
            layers = self._compare_layers(verifier, staged, path)
            write.publish(staged, self.target)
        self.seconds["total"] = time.perf_counter() - begin
        notes = list(dict.fromkeys(n for m in models for n in m.notes))
        steps = list(pipeline.reports.values())
        return OptimizeReport(
            self.source,
            self.target,
            form,
            self.options.preset,
            before,
            after,
            steps,
            verification,
            notes,
            self.seconds,
            records,
            layers,
        )

    @contextmanager
    def _input_blamed(self, path: Path) -> Generator[None, None, None]:
        """What fails on a graph that TensorFlow refuses as well is the input's fault, and is said so."""
        try:
            yield
        except (UsageError, UnsupportedModel, OSError):
            raise
        except Exception as error:
            fault = fault_of_input(read(path, self.read_options))
            if fault is None:
                raise
            raise fault from error

    def _as_saved_model(self, stack: ExitStack) -> Path:
        if sniff(self.source) != "keras":
            return self.source
        with self.phase("export from Keras"):
            out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfpare-"))) / "exported"
            keras_files.export(self.source, out)
        return out

    def _start_worker(self, stack: ExitStack) -> Worker | None:
        """A child process that imports TensorFlow while this one does."""
        if not self.options.verify:
            return None
        worker = Worker(runtime_of(self.verification))
        stack.callback(worker.close)
        return worker

    def _start_verifier(self, stack: ExitStack, worker: Worker | None, models: list[Model]) -> Verifier | None:
        """The original answers in a child process while this one rewrites."""
        if worker is None:
            return None
        verifier = stack.enter_context(Verifier(models, self._proof_options(stack, models[0])))
        verifier.start(worker)
        return verifier

    def _proof_options(self, stack: ExitStack, model: Model) -> VerifyOptions:
        """Other precisions are proven on samples, where there are any: those that the model is made for."""
        given, int8 = self.verification, self.options.int8
        if self.options.precision == "keep" or not int8.data or given.data or given.inputs or given.input_exprs:
            return given
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfpare-")))
        return replace(given, data=write_proof_inputs(model, int8, scratch / "samples.npz"))

    def _prove(self, verifier: Verifier | None, staged: Path, path: Path) -> VerifyReport | None:
        if verifier is None:
            return None
        with self.phase("verify"):
            report = verifier.compare(staged)
        if report.ok:
            return report
        if report.differs:
            with self.phase("find the cause"):
                report.first_difference = self._find_cause(verifier, path)
        raise VerificationError(_failure(report), report)

    def _compare_layers(self, verifier: Verifier | None, staged: Path, path: Path) -> list[LayerReport]:
        if verifier is None or not self.options.compare_layers:
            return []
        with self.phase("compare layers"):
            return layer_differences(
                path, staged, self.read_options, verifier.accepted_inputs()[0], runtime_of(self.verification)
            )

    def _find_cause(self, verifier: Verifier, path: Path) -> str:
        """The first step after which the answers differ, by bisection over the trace."""
        steps: list[str] = []

        with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:

            def candidate(stop_after: int) -> Path:
                models = read(path, self.read_options)
                steps[:] = rewrite(models, self.options, self.progress, stop_after).steps
                place = Path(scratch) / str(stop_after)
                place.mkdir()
                return write.write_staged(models, place, self.target)

            candidate(10**9)
            trace = list(steps)
            index = first_difference(candidate, len(trace), lambda p: verifier.compare(p).ok)
        return trace[index - 1] if 0 < index <= len(trace) else "reading and writing the model"


def _verification(options: OptimizeOptions) -> VerifyOptions:
    """What the preset promises is what is proven: `exact` means equal bits, which only a plain runtime can show."""
    budget = budget_of(options.precision)
    if budget is not None and options.verification.budget is None:
        return replace(options.verification, budget=budget)
    if options.preset != "exact" or options.verification.tolerance is not None:
        return options.verification
    return replace(options.verification, tolerance=0.0, plain_runtime=True)


def _failure(report: VerifyReport) -> str:
    if not report.differs:
        why = " ".join(report.notes)
        return (
            f"Whether the optimized model answers the same could not be found out; nothing was written. {why} Give "
            "inputs that the original accepts here with --data, or write it unproven with --no-verify."
        )
    bad = [o for o in report.outputs if not o.ok]
    worst = max(bad, key=lambda o: o.max_rel) if bad else None
    where = "" if worst is None else (
        f" Output {worst.output!r} of signature {worst.signature!r} differs by {worst.max_rel:.2e} of its largest "
        f"magnitude (allowed {worst.tolerance:.0e}). {worst.note}"
    )  # fmt: skip
    cause = f" First difference after: {report.first_difference}." if report.first_difference else ""
    notes = " ".join(report.notes)
    return (
        f"The optimized model does not answer as the original did; nothing was written.{where}{cause} {notes}".strip()
    )
