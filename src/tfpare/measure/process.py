"""One model in a fresh process, as the parent sees it: each method is one request to `tfpare.measure.child`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType

import psutil

from tfpare import framing
from tfpare.execution import ModelCrashed, RunRefused, Worker, plain_signature
from tfpare.ir.types import Array
from tfpare.measure.inputs import Feeds
from tfpare.measure.subjects import Subject
from tfpare.measure.types import BenchmarkOptions, Via, Workload

_TIMEOUT_S = 900.0  # for one request, beyond the time that it is meant to take
_WARM_SECONDS, _WARM_MOST = 0.2, 20


class MeasuredProcess:
    """A child that has imported TensorFlow and loaded a model; both are timed.

    Attributes:
        import_s, load_s, first_call_s: times of the phases.
        build: what the child told of its TensorFlow.
        memory: resident bytes by moment, as in `Memory`.

    Raises:
        RunRefused: TensorFlow cannot load the model.
        ModelCrashed: the child died.
    """

    def __init__(self, subject: Subject, via: Via, options: BenchmarkOptions) -> None:
        self._subject = subject
        self._worker = Worker(program="tfpare.measure.child", settings={})
        self.memory: dict[str, int] = {}
        self.first_call_s, self.processor_s = 0.0, 0.0
        threads = {"TF_NUM_INTRAOP_THREADS": options.intra_threads, "TF_NUM_INTEROP_THREADS": options.inter_threads}
        wanted = {k: n for k, n in threads.items() if n}
        try:
            started, _ = self._ask({"do": "start", "via": via.value, "threads": wanted}, "start")
            loaded, _ = self._ask(
                {"do": "load", "via": via.value, "spec": _spec(subject), "signature": subject.signature}, "load"
            )
        except BaseException:
            self._worker.close()
            raise
        self.build = {**started, **{"intra_threads": options.intra_threads or started["intra_threads"]}}
        self.build["inter_threads"] = options.inter_threads or started["inter_threads"]
        self.import_s, self.load_s = float(started["seconds"]), float(loaded["seconds"])
        self.memory["imported"] = started["memory"]["now"]
        self.memory["loaded"], self.memory["load_peak"] = loaded["memory"]["now"], loaded["memory"]["peak"]

    def feed(self, batch: int, found: list[Feeds]) -> None:
        """Hands over the inputs of a batch size."""
        for feeds in found:
            arrays = {_renamed(k, self._subject.keys): a for k, a in feeds.items()}
            self._ask({"do": "feed", "batch": batch}, "feed", arrays)

    def first_call(self, batch: int) -> None:
        """Makes the first call, from arrays to arrays."""
        answer, _ = self._ask({"do": "first", "batch": batch}, "run")
        self.first_call_s = float(answer["seconds"])
        self.memory["first_call_peak"] = answer["memory"]["peak"]

    def prepare(self, batch: int) -> dict[bool, float]:
        """Warms the calls of a batch size up; returns the shortest, seconds, with and without feeding."""
        answer, _ = self._ask({"do": "prepare", "batch": batch, "seconds": _WARM_SECONDS, "most": _WARM_MOST}, "run")
        return {kind: float(answer["call_s"][str(kind)]) for kind in (True, False)}

    def closed_loop(self, workload: Workload, seconds: float, most: int, settle: int) -> tuple[Array, float]:
        """A turn; returns the times of its calls and its wall time, seconds."""
        header, arrays = self._ask(
            {
                "do": "closed",
                "batch": workload.batch,
                "feeding": workload.feeding,
                "streams": workload.streams,
                "seconds": seconds,
                "most": most,
                "settle": settle,
            },
            "run",
        )
        return arrays["samples"], float(header["seconds"])

    def open_loop(self, workload: Workload, seconds: float, seed: int) -> tuple[Array, float, float]:
        """A turn of arrivals; returns times from the arrival, wall time and the last arrival, seconds."""
        header, arrays = self._ask(
            {
                "do": "opened",
                "batch": workload.batch,
                "feeding": workload.feeding,
                "streams": workload.streams,
                "rate": workload.rate,
                "seconds": seconds,
                "seed": seed,
            },
            "run",
        )
        return arrays["samples"], float(header["seconds"]), float(header["due_s"])

    def trace(self, batch: int, calls: int, folder: str) -> list[list[str | float | int]]:
        """Traced calls: name, op, milliseconds and executions of each node."""
        return self._ask({"do": "trace", "batch": batch, "calls": calls, "tensorboard": folder}, "run")[0]["nodes"]

    def finish(self) -> None:
        """Asks for the last figures and ends the process."""
        answer, _ = self._ask({"do": "memory"}, "run")
        self.memory["running_peak"] = answer["memory"]["peak"]
        times = psutil.Process(self._worker.pid).cpu_times()
        self.processor_s = float(times.user + times.system)
        self.close()

    def _ask(self, header: framing.Header, doing: str, arrays: Mapping[str, Array] | None = None) -> framing.Message:
        where = f"{self._subject.source} was timed ({doing})"
        try:
            self._worker.tell(header, arrays)
            answer, found = self._worker.hear(_TIMEOUT_S)
        except ModelCrashed as error:
            raise ModelCrashed(f"The process in which {where} {error}") from error
        if not answer["ok"]:
            what = "cannot load" if doing == "load" else "does not run"
            raise RunRefused(f"TensorFlow {what} {self._subject.source}: {answer['error']}")
        return answer, found

    def close(self) -> None:
        """Ends the process."""
        self._worker.close()

    def __enter__(self) -> MeasuredProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _spec(subject: Subject) -> framing.Header:
    return {
        "path": os.path.abspath(subject.path),
        "form": subject.form,
        "tags": list(subject.tags),
        "may_use_session": False,
        "signatures": {subject.signature: plain_signature(subject.signatures[subject.signature])},
    }


def _renamed(name: str, keys: Mapping[str, str]) -> str:
    """`key` or `key/indices` by the subject's own name of the key."""
    key, slash, part = name.partition("/") if name not in keys else (name, "", "")
    return f"{keys.get(key, key)}{slash}{part}"
