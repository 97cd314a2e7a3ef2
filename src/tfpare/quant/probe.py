"""Whether this TensorFlow has the 8-bit kernels, and whether they are right: found out in a child process.

A kernel that does not like its inputs may end the process; a child's end harms nobody.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from tfpare.errors import TfpareError, UnsupportedMachine
from tfpare.execution import ModelCrashed, Worker
from tfpare.io.op_registry import op_spec
from tfpare.io.runnable import write_graph
from tfpare.ir.graph import Graph, Value
from tfpare.ir.text import parse
from tfpare.ir.types import Array
from tfpare.passes.base import PassResult
from tfpare.quant.emit import emit
from tfpare.quant.machine_cache import MachineCache
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.options import QuantOptions
from tfpare.quant.probe_graphs import PROBES
from tfpare.quant.scheme import candidates, make_scheme, wanted_ranges
from tfpare.runtime import infer_shapes

_TIMEOUT_S = 120.0
_FOUND = TypeAdapter(dict[str, str])
_LEAST_SQNR_DB = 25.0  # a few layers lose 5 dB of the 38 dB of one rounding; a wrong kernel leaves less than 10


def check_kernels(ops: Iterable[str]) -> None:
    """Runs the kernels that the given float ops become, each in a child process, once for every TensorFlow.

    Raises:
        UnsupportedMachine: one is missing, ends the process or computes something else than float.
    """
    for name in sorted(ops):
        problem = probe(name)
        if problem:
            raise UnsupportedMachine(
                f"--precision int8: the 8-bit kernel of {name} does not work in this TensorFlow: {problem} Use "
                "--portable, or another TensorFlow."
            )


def probe(name: str) -> str:
    """What is wrong with the kernels of a graph of `PROBES`; empty where they give what float ones give."""
    found = _found()
    if name not in found.known:
        found.known[name] = _run(name)
        found.remember()
    return found.known[name]


def _run(name: str) -> str:
    """Runs the float graph, then the 8-bit one on the ranges that the first had."""
    graph = parse(PROBES[name], op_spec)
    infer_shapes(graph)
    x = next(iter(graph.fed))
    feed = np.random.default_rng(0).normal(0, 1, [d or 1 for d in x.shape.dims or ()]).astype(np.float32)
    options = QuantOptions(ends="int8", reduce_range=True)  # whether sums overflow is another question
    tensors = wanted_ranges(candidates(graph, options, PassResult()))
    worker = Worker(program="tfpare.quant._worker")
    try:
        wanted = dict.fromkeys([*tensors, *graph.outputs.values()])
        feeds = {f"{x.node.name}:{x.index}": feed}
        floats = evaluate(worker, graph, feeds, list(wanted))
        ranges = {v: (float(a.min()), float(a.max())) for v, a in zip(wanted, floats, strict=True)}
        expected = floats[list(wanted).index(next(iter(graph.outputs.values())))]
        emit(graph, make_scheme(graph, ranges, options))
        (value,) = evaluate(worker, graph, feeds, list(graph.outputs.values()))
    except ModelCrashed as error:
        return f"the process {error}"
    except TfpareError as error:
        return str(error)
    finally:
        worker.close()
    found = sqnr_db(expected, value)
    return "" if found >= _LEAST_SQNR_DB else f"its result is {found:.0f} dB from that of float."


def evaluate(worker: Worker, graph: Graph, feeds: dict[str, Array], fetch: list[Value]) -> list[Array]:
    """What values of a graph are, computed by a `tfpare.quant._worker`.

    Args:
        worker: that child process.
        graph: to run.
        feeds: by tensor (`node:0`).
        fetch: the values to compute.

    Raises:
        ModelCrashed: the process ended; UnsupportedMachine: TensorFlow raised an error.
    """
    with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
        path = Path(scratch) / "probe.pb"
        write_graph(graph, path)
        names = [f"{v.node.name}:{v.index}" for v in fetch]
        worker.tell({"do": "evaluate", "path": str(path), "fetch": names}, feeds)
        header, arrays = worker.hear(_TIMEOUT_S)
    if not header["ok"]:
        raise UnsupportedMachine(str(header["error"]))
    return [arrays[n] for n in names]


@cache
def _found() -> MachineCache[str]:
    return MachineCache("kernels", _FOUND.validate_json)
