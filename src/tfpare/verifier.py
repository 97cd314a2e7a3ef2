"""Proof: the same inputs through two models, every signature, every output, and how far the answers are apart."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tfpare.comparison import CandidateAnswers, ask, compare_model
from tfpare.execution import ModelRunner, Runtime, Worker
from tfpare.feeds import given
from tfpare.io.contract import contract_of
from tfpare.io.read import ReadOptions, read
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.proof import OutputDifference, VerifyOptions, VerifyReport
from tfpare.reference import Original, SignatureReference
from tfpare.rounding import RoundingProbe

__all__ = ["Feeds", "OutputDifference", "Verifier", "VerifyOptions", "VerifyReport", "first_difference", "verify"]

Feeds = Mapping[str, Array]
Progress = Callable[[str], None]


OTHER_KERNELS_NOTE = (
    "the original does not run here as TensorFlow is installed, but with oneDNN switched the other way "
    "(TF_ENABLE_ONEDNN_OPTS), so both models answered with that"
)
_GOODBYE_S = 10.0  # for the thread to notice that its child is gone


def _silent(step: str) -> None:
    del step


class Verifier:
    """Compares candidates with an original whose answers a child process computes while the caller goes on working.

    Construct it before the models are rewritten; it keeps only plain data of them.

        with Verifier(models, options) as verifier:
            verifier.start()
            ...  # rewrite and write
            report = verifier.compare(staged)

    Args:
        models: the original's MetaGraphs, as read.
        options: what to feed and what to allow.
        progress: told what is being done, also from another thread.

    Raises:
        UsageError: given inputs that no signature takes, or that do not fit.
    """

    def __init__(self, models: list[Model], options: VerifyOptions | None = None, progress: Progress = _silent) -> None:
        self.options = options or VerifyOptions()
        self._progress, self._runtime = progress, runtime_of(self.options)
        arrays = given.load(self.options.data, self.options.inputs, self.options.input_exprs, self.options.seed)
        self._originals = [Original(m, arrays, self.options.batches, self.options.seed) for m in models]
        given.check_keys(arrays, [s for o in self._originals for s in o.specs.values()])
        self._references: list[list[SignatureReference]] = []
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._spare: Worker | None = None
        self._probe: RoundingProbe | None = None
        self._runner: ModelRunner | None = None
        self._seconds = 0.0
        self._closed = self._rounding_known = False

    def start(self, worker: Worker | None = None) -> None:
        """Begins to compute the original's answers; returns at once. Does nothing when it was called before."""
        if self._thread is None:
            self._worker = worker or Worker(self._runtime)
            self._thread = threading.Thread(target=self._compute, name="tfpare-verify", daemon=True)
            self._thread.start()

    def _compute(self) -> None:
        started = time.perf_counter()
        try:
            for original in self._originals if not self._closed else ():
                found = self._answers(original, self._worker, self._runtime)
                if self._runtime is Runtime.STOCK and found and not any(r.answers for r in found):
                    found = self._with_other_kernels(original) or found
                self._references.append(found)
        except BaseException as error:
            self._error = error
        self._seconds = time.perf_counter() - started

    def _answers(self, original: Original, worker: Worker | None, runtime: Runtime) -> list[SignatureReference]:
        with original.runner(worker, runtime) as runner:
            self._worker, self._runner = None, runner
            runner.wait_until_loaded()
            if self._spare is None:
                self._spare = Worker(self._runtime)  # imports TensorFlow while the original runs
            return original.answers(runner, self._progress)

    def _with_other_kernels(self, original: Original) -> list[SignatureReference]:
        """Answers of a model that does not run as TensorFlow is installed, such as one in NCHW without oneDNN."""
        found = self._answers(original, None, Runtime.OTHER_KERNELS)
        if not any(r.answers for r in found):
            return []
        original.runtime = Runtime.OTHER_KERNELS
        return found

    def compare(self, after: Path) -> VerifyReport:
        """Runs a candidate on the inputs that the original accepted. May be called several times.

        Args:
            after: the candidate's files, not necessarily at their final place.

        Raises:
            TfpareError: the original does not load or keeps crashing, or the candidate is no model.
        """
        self.start()
        assert self._thread is not None
        self._thread.join()
        started = time.perf_counter()
        if self._error is not None:
            raise self._error
        if self._probe is None and self.options.tolerance is None and self.options.budget is None:
            self._probe = RoundingProbe(self._originals, self._references)
        notes = [OTHER_KERNELS_NOTE] if any(o.runtime is Runtime.OTHER_KERNELS for o in self._originals) else []
        answers = [
            self._ask(after, original, references, notes)
            for original, references in zip(self._originals, self._references, strict=True)
        ]
        report = self._judge(answers, notes)
        if not report.ok and self._probe is not None and not self._rounding_known:
            self._rounding_known = True
            self._progress("the original's own rounding")
            self._probe.finish()
            report = self._judge(answers, notes)
        report.seconds = self._seconds + time.perf_counter() - started
        self._seconds = 0.0  # spent once, however many candidates follow
        return report

    def accepted_inputs(self) -> list[dict[str, dict[str, Array]]]:
        """For each MetaGraph the first inputs that each signature accepted; call it after `compare`."""
        return [{r.name: r.answers[0].feeds for r in references if r.answers} for references in self._references]

    def _judge(self, answers: list[CandidateAnswers], notes: list[str]) -> VerifyReport:
        report = VerifyReport(ok=True, notes=list(notes))
        for one, original, references in zip(answers, self._originals, self._references, strict=True):
            label = f" (tags {','.join(original.tags) or 'none'})" if len(self._originals) > 1 else ""
            compare_model(one, original, references, self.options, label, report)
        if not report.outputs:
            report.notes.append("the model has no signature with outputs: there is nothing to compare")
        report.ok = bool(report.outputs) and all(o.ok for o in report.outputs)
        return report

    def _ask(
        self, after: Path, original: Original, references: list[SignatureReference], notes: list[str]
    ) -> CandidateAnswers:
        self._progress("the candidate's answers")
        contract = contract_of(after, original.tags, original.signatures)
        if contract.note:
            notes.append(contract.note)
        runtime = original.runtime or self._runtime
        spare, self._spare = (self._spare, None) if runtime is self._runtime else (None, self._spare)
        if original.needs_session:
            notes.append("tf.saved_model.load refuses the original: run in a Session, as TensorFlow Serving does")
        with ModelRunner(
            contract.path,
            form=contract.form,
            tags=contract.tags,
            signatures=contract.signatures,
            worker=spare,
            runtime=runtime,
            may_use_session=original.needs_session,
        ) as runner:
            return ask(runner, original, references)

    def close(self) -> None:
        """Ends the child processes and the work that is under way."""
        self._closed = True
        if self._runner is not None:
            self._runner.close()
        if self._thread is not None:
            self._thread.join(_GOODBYE_S)
        for helper in (self._worker, self._spare, self._probe):
            if helper is not None:
                helper.close()

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def runtime_of(options: VerifyOptions) -> Runtime:
    """How the children's TensorFlow is set up."""
    return Runtime.PLAIN if options.plain_runtime else Runtime.STOCK


def verify(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    options: VerifyOptions | None = None,
    progress: Progress = _silent,
) -> VerifyReport:
    """Compares two models in any readable form.

    Raises:
        UsageError: unknown tags, signatures, tensors or input keys.
        UnsupportedModel: one of them is no model.
        TfpareError: the original does not load, or crashes on every input.
    """
    options = options or VerifyOptions()
    worker = Worker(runtime_of(options))  # imports TensorFlow while this process reads the model
    try:
        wanted = ReadOptions(options.tags, options.signatures, options.input_names, options.output_names)
        progress("reading")
        models = read(before, wanted)
        notes = [n for m in models for n in m.notes]
        with Verifier(models, options, progress) as verifier:
            verifier.start(worker)
            report = verifier.compare(Path(os.path.expanduser(after)))
    finally:
        worker.close()
    report.notes[:0] = notes
    return report


def first_difference(make_candidate: Callable[[int], Path], total_steps: int, check: Callable[[Path], bool]) -> int:
    """The first step after which the answers differ, by bisection.

    Args:
        make_candidate: builds the model after so many steps.
        total_steps: how many there are; the model after all of them is known to differ.
        check: whether a candidate answers as the original does, such as `lambda p: verifier.compare(p).ok`.

    Returns:
        the step's number, 1 to `total_steps`; 0 where the model differs although no step was made (then reading or
        writing is to blame).
    """
    if not check(make_candidate(0)):
        return 0
    good, bad = 0, total_steps
    while bad - good > 1:
        middle = (good + bad) // 2
        if check(make_candidate(middle)):
            good = middle
        else:
            bad = middle
    return bad
