"""How far the original is apart from itself with other kernels: what rounding alone does to its answers."""

from __future__ import annotations

import contextlib
import threading

from tfpare.differences import difference
from tfpare.execution import ModelCrashed, ModelRunner, RunRefused, Runtime
from tfpare.reference import Original, SignatureReference

_GOODBYE_S = 10.0  # for the thread to notice that its child is gone


class RoundingProbe:
    """Runs the originals once more in a child with other kernels, in the background: mostly it is wanted in the end.

    Args:
        originals: to run; left out are those whose answers depend on the calls before, and those that run with one
            set of kernels alone.
        references: their answers.
    """

    def __init__(self, originals: list[Original], references: list[list[SignatureReference]]) -> None:
        both = [(o, r) for o, r in zip(originals, references, strict=True) if not o.is_stateful]
        self._work = [(o, r) for o, r in both if o.runtime is None]
        self._found: list[tuple[SignatureReference, str, float]] = []
        self._error: BaseException | None = None
        self._runner: ModelRunner | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="tfpare-rounding", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for original, references in self._work:
                if self._closed:
                    return
                with original.runner(runtime=Runtime.OTHER_KERNELS) as self._runner:
                    for reference in references:
                        self._measure(self._runner, reference)
        except BaseException as error:
            self._error = error

    def _measure(self, runner: ModelRunner, reference: SignatureReference) -> None:
        for answer in reference.answers:
            with contextlib.suppress(RunRefused):  # an op that only the other set of kernels has
                other = runner.run(reference.name, answer.feeds)
                for key, before in answer.first.items():
                    self._found.append((reference, key, difference(before, other[key], None).max_rel))

    def finish(self) -> None:
        """Waits for the end and enters what was found into the references.

        Raises:
            ModelCrashed: the original does not survive the other kernels.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        for reference, key, found in self._found:
            reference.rounding[key] = max(found, reference.rounding.get(key, 0.0))

    def close(self) -> None:
        """Ends the work that is under way."""
        self._closed = True
        if self._runner is not None:
            with contextlib.suppress(ModelCrashed):
                self._runner.close()
        self._thread.join(_GOODBYE_S)
