"""How much of the answers each layer costs in a narrower type: one graph, one switch a layer."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfpare.errors import TfpareError
from tfpare.execution import Worker
from tfpare.io.entries import output_values
from tfpare.io.runnable import write_runnable
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.quant.calibrate import tensor_name
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.options import QuantOptions
from tfpare.quant.samples import calibrated_signature, entry_feeds, fixed_batch, open_samples
from tfpare.tuning.switches import Layer, switches

_TIMEOUT_S = 600.0
_CALL_S = 1.0  # a call with all samples takes about so long
_FEWEST, _MOST = 4, 32  # samples
_CANDIDATES = 16  # the worst layers, of which it is also measured what giving them back brings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """What one layer costs.

    Attributes:
        nodes: names of all nodes that go back to float with it.
        only_db: SQNR of the outputs with this layer alone in the narrower type.
        without_db: SQNR with all layers but this one in it; None where that was not measured.
    """

    name: str
    op: str
    nodes: tuple[str, ...]
    only_db: float
    without_db: float | None = None


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """What the layers cost, alone and together.

    Attributes:
        layers: those first whose return to float helps most.
        returned_db: SQNR with the first k of them in float and the others in the narrower type, by k: 0, 1, 2, 4, …,
            all but one.
    """

    layers: list[LayerSensitivity]
    returned_db: dict[int, float]

    @property
    def most(self) -> int:
        """How many can be given back so that one stays in the narrower type."""
        return len(self.layers) - 1

    def enough(self, drop: float, allowed: float) -> int:
        """How many layers to give back, by a guess: what is lost goes with the size of the error.

        Args:
            drop: what is lost with none given back.
            allowed: what may be lost.

        Returns:
            At least 1 and at most `most`, which it is too where no number seems enough.
        """
        for count, decibels in self.returned_db.items():
            if count and drop * 10 ** ((self.returned_db[0] - decibels) / 20) <= allowed:
                return count
        return self.most


def measure_sensitivities(
    model: Model, graph: Graph, layers: Sequence[Layer], settings: QuantOptions, progress: Progress
) -> Sensitivities:
    """Which of the layers that would be in a narrower type cost most.

    Args:
        model: as the pipeline leaves it before its precision changes.
        graph: of it, that the samples enter, with switches.
        layers: that the switches are for.
        settings: with the data.
        progress: told what is done, and how many measurements of how many.

    Raises:
        TfpareError: the graph does not run by itself, or gives no floats.
    """
    signature = calibrated_signature(model, settings)
    outputs = [tensor_name(v) for v in output_values(model, signature) if v.dtype.name == "float32"]
    if not outputs:
        raise TfpareError("none of its outputs is float32")
    entries = {key: tensor_name(value) for key, value in entry_feeds(model, signature).items()}
    fixed = fixed_batch(model, settings)
    batch = next(iter(open_samples(model, settings).batches(fixed or _MOST)))
    constants = settings.data_options.constants
    feeds = {entries[k]: (a, k in constants) for k, a in batch.feeds.items() if k in entries}
    with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
        path = Path(scratch) / "switched.pb"
        write_runnable(model, graph, path)
        runs = _Runs(path, outputs, feeds, layers, fixed or 1)
        try:
            return _ranked(runs, layers, progress)
        finally:
            runs.close()


class _Runs:
    """The switched graph in a child process, fed with as many samples as a second allows."""

    def __init__(
        self,
        path: Path,
        outputs: Sequence[str],
        feeds: Mapping[str, tuple[Array, bool]],
        layers: Sequence[Layer],
        few: int,
    ) -> None:
        self._worker = Worker(program="tfpare.quant._worker")
        self._path, self._outputs, self._layers = path, outputs, layers
        self._feeds: dict[str, Array] = {n: a if fixed else a[:few] for n, (a, fixed) in feeds.items()}
        self._answer(set())
        begin = time.perf_counter()
        self._answer(set())
        count = int(np.clip(_CALL_S / (time.perf_counter() - begin), max(_FEWEST, few), max(_MOST, few)))
        self._feeds = {n: a if fixed else a[:count] for n, (a, fixed) in feeds.items()}
        self._float = self._answer(set())

    def close(self) -> None:
        self._worker.close()

    def _answer(self, on: set[int]) -> dict[str, Array]:
        request = {"do": "evaluate", "path": str(self._path), "fetch": list(self._outputs)}
        self._worker.tell(request, {**self._feeds, **switches(self._layers, on)})
        header, arrays = self._worker.hear(_TIMEOUT_S)
        if not header["ok"]:
            raise TfpareError(str(header["error"]))
        return arrays

    def sqnr(self, on: set[int]) -> float:
        """Of the worst output with these layers in the narrower type, decibels."""
        found = self._answer(on)
        return min(sqnr_db(a, found[name]) for name, a in self._float.items())


def _ranked(runs: _Runs, layers: Sequence[Layer], progress: Progress) -> Sensitivities:
    everything = set(range(len(layers)))
    worst = min(_CANDIDATES, len(layers))
    counts = _counts(len(layers))
    total = len(layers) + worst + len(counts)
    alone: list[float] = []
    for k, layer in enumerate(layers):
        progress(f"{layer.name} alone", k, total)
        alone.append(runs.sqnr({k}))
    cost = [alone[k] + 10 * math.log10(layer.gain) for k, layer in enumerate(layers)]  # noise for what it is worth
    order = sorted(everything, key=lambda k: cost[k])
    without: dict[int, float] = {}
    for done, k in enumerate(order[:worst]):
        progress(f"all but {layers[k].name}", len(layers) + done, total)
        without[k] = runs.sqnr(everything - {k})
    if len({layer.gain for layer in layers}) == 1:
        order.sort(key=lambda k: (-without.get(k, -math.inf), alone[k]))
    returned: dict[int, float] = {}
    for done, count in enumerate(counts):
        progress(f"{count} layers in float", len(layers) + worst + done, total)
        returned[count] = runs.sqnr(set(order[count:]))
    found = [LayerSensitivity(layers[k].name, layers[k].op, layers[k].nodes, alone[k], without.get(k)) for k in order]
    return Sensitivities(found, returned)


def _counts(layers: int) -> list[int]:
    """How many layers to give back for a look at what that brings: powers of 2, less than all of them."""
    powers = [1 << k for k in range(layers.bit_length()) if 1 << k < layers - 1]
    return sorted({0, *powers, max(layers - 1, 0)})
