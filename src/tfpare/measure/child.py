"""The child process that one model is timed in: `python -m tfpare.measure.child` (see `tfpare.measure.process`).

It imports TensorFlow when it is told to, and as any program does, so that the time is the one that users wait.
"""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tfpare import framing
from tfpare._worker import error_text, serve_and_exit, take_pipes
from tfpare.io.start import onednn_is_on
from tfpare.ir.types import Array
from tfpare.measure.load import Block, Call, arrivals, closed_loop, open_loop
from tfpare.measure.memory import reset_peak, resident_bytes

Header = framing.Header
Arrays = dict[str, Array]
_KINDS = (True, False)  # feeding timed, or not


class _Child:
    """One model, and the calls that are prepared for it."""

    def __init__(self) -> None:
        self._path: Any = None
        self._feeds: dict[int, list[Arrays]] = {}
        self._calls: dict[tuple[int, bool], list[Call]] = {}

    def answer(self, header: Header, arrays: Arrays) -> Header:
        """Does what is asked, and times it."""
        return getattr(self, header["do"])(header, arrays)

    def start(self, header: Header, arrays: Arrays) -> Header:
        """Imports TensorFlow (and Keras, where the calls go through it)."""
        del arrays
        for name, count in header["threads"].items():
            os.environ[name] = str(count)
        begin = time.perf_counter()
        import tensorflow as tf

        if header["via"] == "tfsm":
            importlib.import_module("keras")
        seconds = time.perf_counter() - begin
        for library in sys.argv[1:]:
            tf.load_op_library(library)
        return {"seconds": seconds, "memory": resident_bytes(), **_build()}

    def load(self, header: Header, arrays: Arrays) -> Header:
        """Loads the model."""
        del arrays
        from tfpare.measure.calls import PATHS

        make = PATHS[header["via"]]
        reset_peak()
        begin = time.perf_counter()
        self._path = make(header["spec"], header["signature"])
        return {"seconds": time.perf_counter() - begin, "memory": resident_bytes()}

    def feed(self, header: Header, arrays: Arrays) -> Header:
        """Takes one set of inputs more for a batch size."""
        self._feeds.setdefault(header["batch"], []).append(arrays)
        return {}

    def first(self, header: Header, arrays: Arrays) -> Header:
        """The first call of all."""
        del arrays
        call = self._path.with_feeding(self._feeds[header["batch"]][0])
        reset_peak()
        begin = time.perf_counter()
        call()
        seconds = time.perf_counter() - begin
        memory = resident_bytes()
        reset_peak()
        return {"seconds": seconds, "memory": memory}

    def prepare(self, header: Header, arrays: Arrays) -> Header:
        """Makes the calls of a batch size, and warms them up; returns how long a warm one takes."""
        del arrays
        batch, seconds = header["batch"], dict[str, float]()
        for kind in _KINDS:
            make = self._path.with_feeding if kind else self._path.without_feeding
            calls = self._calls[batch, kind] = [make(f) for f in self._feeds[batch]]
            for call in calls:
                call()
            block = closed_loop(calls, 1, header["seconds"], header["most"])
            seconds[str(kind)] = min(block.samples_s)
        return {"call_s": seconds}

    def closed(self, header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
        """A turn of one or several callers that do not pause."""
        del arrays
        calls = self._calls[header["batch"], header["feeding"]]
        return _sent(closed_loop(calls, header["streams"], header["seconds"], header["most"], header["settle"]))

    def opened(self, header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
        """A turn of arrivals that do not wait."""
        del arrays
        due = arrivals(header["rate"], header["seconds"], header["seed"])
        calls = self._calls[header["batch"], header["feeding"]]
        header, samples = _sent(open_loop(calls, header["streams"], due))
        return {**header, "due_s": due[-1]}, samples

    def memory(self, header: Header, arrays: Arrays) -> Header:
        """What the process takes now, and took at most since the first call."""
        del header, arrays
        return {"memory": resident_bytes()}

    def trace(self, header: Header, arrays: Arrays) -> Header:
        """Some traced calls (in a Session)."""
        del arrays
        from tfpare.measure import trace

        feeds = self._feeds[header["batch"]][0]
        folder = Path(header["tensorboard"]) if header["tensorboard"] else None
        return {"nodes": trace.trace(self._path, feeds, header["calls"], folder), "calls": header["calls"]}


def _sent(block: Block) -> tuple[Header, Arrays]:
    import numpy as np

    return {"seconds": block.seconds}, {"samples": np.asarray(block.samples_s, np.float64)}


def _build() -> Header:
    """What this TensorFlow is."""
    import tensorflow as tf

    return {
        "tensorflow": tf.version.VERSION,
        "build": f"{tf.version.GIT_VERSION}, {tf.version.COMPILER_VERSION}",
        "onednn": onednn_is_on(),
        "intra_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_threads": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def _serve(read: Callable[[int], bytes], out: BinaryIO) -> None:
    child = _Child()
    while True:
        header, arrays = framing.receive(read)
        try:
            answer = child.answer(header, arrays)
            answer, samples = answer if isinstance(answer, tuple) else (answer, {})
            framing.send(out, {"ok": True, **answer}, samples)
        except Exception as error:
            framing.send(out, {"ok": False, "error": error_text(error)})


if __name__ == "__main__":
    serve_and_exit(_serve, *take_pipes())
