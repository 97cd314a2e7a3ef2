"""The largest magnitude of each channel of some tensors, on samples."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from tfpare.errors import TfpareError
from tfpare.execution import Worker
from tfpare.io.runnable import write_runnable
from tfpare.ir.graph import Graph, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Array, dtype
from tfpare.quant.calibrate import tensor_name
from tfpare.quant.options import QuantOptions
from tfpare.quant.samples import calibrated_signature, entry_feeds, open_samples

_TIMEOUT_S = 600.0
_SAMPLES = 128


def channel_magnitudes(
    model: Model, graph: Graph, tensors: Sequence[Value], settings: QuantOptions
) -> dict[Value, Array]:
    """max |x| over everything but the last dimension, [channels] float32, on the first samples.

    Args:
        model: that the graph belongs to.
        graph: gets nodes that compute the magnitudes.
        tensors: float32 with a known rank.
        settings: the samples.

    Raises:
        DataError: the samples cannot be used; TfpareError: the graph does not run by itself.
    """
    reduced = {v: tensor_name(_reduced(graph, v)) for v in tensors}
    entries = {key: tensor_name(v) for key, v in entry_feeds(model, calibrated_signature(model, settings)).items()}
    found: dict[Value, Array] = {}
    worker = Worker(program="tfpare.quant._worker")
    try:
        with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
            path = Path(scratch) / "magnitudes.pb"
            write_runnable(model, graph, path)
            request = {"do": "evaluate", "path": str(path), "fetch": list(reduced.values())}
            batches = open_samples(model, settings).batches(settings.batch)
            for batch in islice(batches, -(-min(_SAMPLES, settings.samples) // settings.batch)):
                worker.tell(request, {entries[k]: a for k, a in batch.feeds.items() if k in entries})
                header, arrays = worker.hear(_TIMEOUT_S)
                if not header["ok"]:
                    raise TfpareError(str(header["error"]))
                for value, name in reduced.items():
                    found[value] = np.maximum(found.get(value, arrays[name]), arrays[name])
    finally:
        worker.close()
    return found


def _reduced(graph: Graph, value: Value) -> Value:
    float_, index = dtype("float32"), dtype("int32")
    rank = value.shape.rank or 1
    axes = graph.const(np.arange(rank - 1, dtype=np.int32), name=f"{value.node.name}/axes")
    size = graph.add("Abs", [value], {"T": float_}, name=f"{value.node.name}/size").out()
    attrs = {"T": float_, "Tidx": index, "keep_dims": False}
    return graph.add("Max", [size, axes], attrs, name=f"{value.node.name}/largest").out()
