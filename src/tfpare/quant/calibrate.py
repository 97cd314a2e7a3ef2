"""Ranges from data: the float graph runs on the user's samples in a child process, which keeps summaries alone."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfpare.data.types import Batch, DataError
from tfpare.execution import ModelCrashed, Worker
from tfpare.io.runnable import write_runnable
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.quant.choice import Range, range_of
from tfpare.quant.fingerprint import Fingerprints
from tfpare.quant.observers import Observer
from tfpare.quant.options import QuantOptions

_CHUNK_BYTES = 256 << 20  # of tensors that are fetched in one run
_UNKNOWN_EXTENT = 256  # taken for a dimension that is not known, to split the tensors into chunks
_TIMEOUT_S = 600.0
_SAVE_EVERY_S = 15.0
_FORMAT = 2  # of what is kept; another one is measured again
_HAS_STATE = frozenset({"resource", "variant"})

Progress = Callable[[str], None]


def _silent(step: str) -> None:
    del step


class Batches(Protocol):
    """The part of a data set that calibration reads."""

    def batches(self, batch_size: int) -> Iterable[Batch]:
        """The batches, in a fixed order."""
        ...


@dataclass(slots=True)
class Calibration:
    """What was measured.

    Attributes:
        ranges: lowest and highest number by tensor; a tensor that never came is not among them.
        samples: how many samples were used.
        notes: what the user should know of the data.
    """

    ranges: dict[Value, Range] = field(default_factory=dict[Value, Range])
    samples: int = 0
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Task:
    """What to measure.

    Attributes:
        model, graph: the graph with its functions, as the float pipeline left them.
        feeds: values of the graph by input key.
        tensors: whose ranges are wanted.
        constants: input keys that are the same for all samples.
    """

    model: Model
    graph: Graph
    feeds: Mapping[str, Value]
    tensors: Sequence[Value]
    constants: Mapping[str, Array] = field(default_factory=dict[str, Array])


def calibrate(task: Task, data: Batches, options: QuantOptions, progress: Progress = _silent) -> Calibration:
    """Measures the ranges.

    Args:
        task: what to measure.
        data: the samples.
        options: how ranges follow from what is seen, how many samples are used, and where to keep what was measured.
        progress: told how far it is.

    Raises:
        DataError: no sample, one that gives NaN, or one that the model refuses; the message names it.
    """
    tensors = [v for v in task.tensors if v.dtype.name == "float32"]
    alone = _Standalone()
    tensors = [v for v in tensors if alone.runs(v.node)]
    if not tensors:
        return Calibration()
    with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
        path = Path(scratch) / "graph.pb"
        write_runnable(task.model, task.graph, path)
        run = _Run(task, tensors, path, options, progress)
        try:
            return run.measure(data)
        finally:
            run.close()


class _Standalone:
    """Which nodes need nothing but what is fed: no variable, no table."""

    def __init__(self) -> None:
        self._known: dict[Node, bool] = {}

    def runs(self, node: Node) -> bool:
        stack = [node]
        while stack:
            one = stack[-1]
            sources = [*(v.node for v in one.inputs), *one.controls]
            unknown = [] if one in self._known else [s for s in sources if s not in self._known]
            if unknown:
                stack.extend(unknown)
                continue
            stateful = one.op != "_Arg" and one.is_effectful
            holds = any(t.is_ref or t.base.name in _HAS_STATE for t in one.dtypes)
            self._known[one] = not (stateful or holds) and all(self._known[s] for s in sources)
            stack.pop()
        return self._known[node]


class _Run:
    """One child that measures, and what is kept of it between runs."""

    def __init__(
        self, task: Task, tensors: Sequence[Value], path: Path, options: QuantOptions, progress: Progress
    ) -> None:
        self._task, self._options, self._progress = task, options, progress
        self._names = {tensor_name(v): v for v in tensors}
        self._samples, self._batches = 0, 0
        self._fingerprints = Fingerprints()
        self._histogram = options.calibration not in ("minmax", "moving-average")
        self._kept = None if options.work_dir is None else options.work_dir / "calibration.npz"
        self._key = self._identity(path)
        chunks = [[tensor_name(v) for v in c] for c in _chunks(tensors, options.batch)]
        load = {"do": "load", "path": str(path), "chunks": chunks, "histogram": self._histogram}
        self._worker = Worker(program="tfpare.quant._worker")
        self._worker.tell(load, self._restore())

    def _identity(self, path: Path) -> str:
        digest = hashlib.sha256(path.read_bytes())
        digest.update(json.dumps([_FORMAT, sorted(self._names), self._options.batch, self._histogram]).encode())
        return digest.hexdigest()

    def close(self) -> None:
        self._worker.close()

    def measure(self, data: Batches) -> Calibration:
        """Runs all batches that have not been measured yet."""
        self._answer()
        skip = self._batches
        fixed = {v.shape.dims[0] for k, v in self._task.feeds.items() if k not in self._task.constants and v.shape.dims}
        saved = time.monotonic()
        for batch in self._limited(data.batches(self._options.batch)):
            if len(batch) not in fixed and fixed - {None}:
                continue  # too small a rest for a model with a batch of its own
            self._fingerprints.add(batch.feeds, self._task.constants, len(batch))
            if skip:
                skip -= 1
                continue
            self._feed(batch)
            if self._kept is not None and time.monotonic() - saved > _SAVE_EVERY_S:
                self._save()
                saved = time.monotonic()
        if not self._samples:
            raise DataError("There is no sample to calibrate with: the data set is empty.")
        if self._kept is not None:
            self._save()
        return self._result()

    def _limited(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        return islice(batches, -(-self._options.samples // self._options.batch))

    def _feed(self, batch: Batch) -> None:
        feeds = {tensor_name(self._task.feeds[k]): a for k, a in batch.feeds.items() if k in self._task.feeds}
        for name, array in batch.feeds.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(f"{_named(batch)}: the input {name!r} holds NaN or infinities. Remove it.")
        self._worker.tell({"do": "run"}, feeds)
        header = self._answer(batch)
        if header["not_finite"]:
            raise DataError(
                f"{_named(batch)}: the model computes NaN or infinities in {header['not_finite']!r}. A range cannot "
                "hold them; remove the sample, or keep that part in float."
            )
        self._samples += len(batch)
        self._batches += 1
        self._progress(f"calibrate: {self._samples} samples")

    def _answer(self, batch: Batch | None = None) -> dict[str, Any]:
        try:
            header, self._arrays = self._worker.hear(_TIMEOUT_S)
        except ModelCrashed as error:
            raise ModelCrashed(f"The process that measures ranges {error}") from error
        if not header["ok"]:
            where = "the graph" if batch is None else _named(batch)
            raise DataError(f"Calibration failed on {where}: {header['error']}")
        return header

    _arrays: dict[str, Array]

    def _states(self) -> dict[str, Array]:
        self._worker.tell({"do": "states"})
        self._answer()
        return self._arrays

    def _result(self) -> Calibration:
        observers = {n: Observer.of(s) for n, s in self._states().items()}
        found = Calibration(samples=self._samples)
        for name, value in self._names.items():
            chosen = range_of(observers[name], self._options.calibration, self._options.percentile)
            if chosen is not None:
                found.ranges[value] = chosen
        warning = self._fingerprints.warning()
        found.notes = [warning] if warning else []
        return found

    # -- going on after an interruption ------------------------------------------------------------------------------

    def _save(self) -> None:
        assert self._kept is not None
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        position = np.array([self._samples, self._batches])
        arrays = {f"state/{n}": s for n, s in self._states().items()}
        temporary = self._kept.with_name(f".{self._kept.name}.{os.getpid()}.npz")
        np.savez(temporary, key=np.array(self._key), position=position, **arrays)  # pyright: ignore[reportArgumentType]
        temporary.replace(self._kept)

    def _restore(self) -> dict[str, Array]:
        """The states of an earlier run over the same graph and settings; none where there was no such run."""
        if self._kept is None or not self._kept.is_file():
            return {}
        try:
            with np.load(self._kept) as archive:
                if str(archive["key"]) != self._key:
                    return {}
                self._samples, self._batches = (int(n) for n in archive["position"])
                return {f.removeprefix("state/"): archive[f] for f in archive.files if f.startswith("state/")}
        except (OSError, ValueError, KeyError):  # cut off, or another file of that name
            return {}


def tensor_name(value: Value) -> str:
    """As a Session knows it."""
    return f"{value.node.name}:{value.index}"


def _named(batch: Batch) -> str:
    names = batch.names
    return names[0] if len(names) == 1 else f"one of the samples {names[0]} … {names[-1]}"


def _chunks(tensors: Sequence[Value], batch: int) -> list[list[Value]]:
    """Groups that fit into memory together; a tensor that does not fit alone is a group of its own."""
    chunks: list[list[Value]] = []
    room = 0
    for value in tensors:
        size = 4 * batch
        for extent in (value.shape.dims or (None,) * 4)[1:]:
            size *= _UNKNOWN_EXTENT if extent is None else extent
        if not chunks or size > room:
            chunks.append([])
            room = _CHUNK_BYTES
        chunks[-1].append(value)
        room -= size
    return chunks
