"""How long a layer takes in each precision on this machine: measured once for each kind, size and stride, and kept.

Each precision's kernel runs alone, on constants, in a Session that folds nothing: no feeding and no neighbour is in the
time, and so is none of the ops that round tensors where precisions meet; those are measured beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from tfpare.execution import ModelCrashed, Worker
from tfpare.io.op_registry import op_spec
from tfpare.io.runnable import write_graph
from tfpare.ir.graph import Graph, Node
from tfpare.ir.text import parse
from tfpare.ir.types import Array, DType, dtype
from tfpare.passes.base import PassResult
from tfpare.quant.emit import emit
from tfpare.quant.machine_cache import MachineCache
from tfpare.quant.options import QuantOptions
from tfpare.quant.planner import Scheme
from tfpare.quant.scheme import candidates, make_scheme, wanted_ranges
from tfpare.quant.units import Unit
from tfpare.runtime import infer_shapes

_TIMEOUT_S = 120.0
_SECONDS = 0.15  # of calls, for each precision
_QUINT8 = dtype("quint8")
_TIMES = TypeAdapter(dict[str, dict[str, float]])


@dataclass(frozen=True, slots=True)
class OpTimes:
    """Shortest time of a call, microseconds; None where the kernel does not run.

    Attributes:
        quantize: of the layer's input; dequantize: of its result.
    """

    float32: float | None = None
    bfloat16: float | None = None
    int8: float | None = None
    quantize: float | None = None
    dequantize: float | None = None


def op_times(scheme: Scheme, progress: Callable[[int, int], None] = lambda done, total: None) -> dict[Unit, OpTimes]:
    """The times of a plan's layers, batch 1 where it is free; layers whose sizes are not known are left out.

    Args:
        scheme: of a graph with shapes.
        progress: told how many kinds of how many have been measured.
    """
    kinds = {u: kind for u in scheme.units if (kind := _Kind.of(u, scheme)) is not None}
    known = _cache()
    wanted = [k for k in dict.fromkeys(kinds.values()) if k.key not in known.known]
    bench = _Bench()
    try:
        for done, kind in enumerate(wanted):
            progress(done, len(wanted))
            known.known[kind.key] = bench.measure(kind)
            known.remember()
    finally:
        bench.close()
    return {u: OpTimes(**known.known[kind.key]) for u, kind in kinds.items()}


@cache
def _cache() -> MachineCache[dict[str, float]]:
    return MachineCache("op-times", _TIMES.validate_json)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a layer's time depends on. `attrs` are the op's strides and the like, as text."""

    op: str
    x: tuple[int, ...]
    kernel: tuple[int, ...]
    out: tuple[int, ...]
    attrs: str
    has_sum: bool
    activation: str
    is_shifted: bool

    @staticmethod
    def of(unit: Unit, scheme: Scheme) -> _Kind | None:
        x, out = (_sizes(v.shape.dims) for v in (unit.x, unit.linear.out()))
        if x is None or out is None:
            return None
        node = unit.linear
        attrs = "transpose_a=false, transpose_b=false"
        if node.op != "MatMul":
            shown = {k: node.get(k, (1, 1, 1, 1)) for k in ("strides", "dilations")}
            attrs = ", ".join(f"{k}={list(v)}" for k, v in shown.items() if isinstance(v, tuple))
            attrs += f", padding={node['padding']}"
            if node["padding"] == "EXPLICIT":
                pads = node["explicit_paddings"]
                attrs += f", explicit_paddings={list(pads) if isinstance(pads, tuple) else []}"
        kernel = tuple(int(n) for n in unit.kernel.values.shape)
        shifted = scheme.grids[unit.x].zero_point != 0
        return _Kind(node.op, x, kernel, out, attrs, unit.summand is not None, unit.activation, shifted)

    @property
    def key(self) -> str:
        """As the cache knows it."""
        sums = " sum" if self.has_sum else ""
        return f"{self.op} {self.x} {self.kernel} {self.attrs} {self.activation}{sums}{' shifted' * self.is_shifted}"

    def graph(self, type_: str, source: str) -> Graph:
        """The float ops; `source` is what inputs are, `input` or `const`."""
        lines = [
            f"x = {source}({type_}{list(self.x)})",
            f"k = const({type_}{list(self.kernel)})",
            f"b = const({type_}[{self._channels}])",
            f"c = {self.op}(x, k, {self.attrs})",
            "y = BiasAdd(c, b)",
        ]
        if self.has_sum:
            lines += [f"s = {source}({type_}{list(self.out)})", "z = AddV2(y, s)"]
        if self.activation:
            lines.append(f"r = {self.activation}({'z' if self.has_sum else 'y'})")
        last = "r" if self.activation else "z" if self.has_sum else "y"
        made = parse("\n".join([*lines, f"return {last}"]), op_spec)
        infer_shapes(made)
        return made

    @property
    def _channels(self) -> int:
        return self.kernel[2] if self.op == "DepthwiseConv2dNative" else self.kernel[-1]


def _sizes(dims: tuple[int | None, ...] | None) -> tuple[int, ...] | None:
    """With batch 1 where it is free; None where more is not known."""
    if dims is None or not dims or None in dims[1:]:
        return None
    return (dims[0] or 1, *(int(d or 0) for d in dims[1:]))


class _Bench:
    """A child process that times kernels; another one where a kernel ended it."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def measure(self, kind: _Kind) -> dict[str, float]:
        """The kernels that run, microseconds."""
        found: dict[str, float] = {}
        for type_ in ("float32", "bfloat16"):
            graph = kind.graph(type_, "const")
            found |= self._times(graph, {v.node.name: type_ for v in graph.outputs.values()})
        found |= self._times(*_in_8_bits(kind))
        if kind.has_sum and "int8" in found:
            found["int8"] = max(found["int8"] - found.pop("summand"), 0.0)
        return found

    def _times(self, graph: Graph, targets: dict[str, str]) -> dict[str, float]:
        """By what the nodes are measured as; empty where the graph does not run."""
        self._worker = self._worker or Worker(program="tfpare.quant._worker")
        try:
            with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
                path = Path(scratch) / "op.pb"
                write_graph(graph, path)
                request = {"do": "time", "path": str(path), "targets": list(targets), "seconds": _SECONDS}
                self._worker.tell(request)
                header, _ = self._worker.hear(_TIMEOUT_S)
        except ModelCrashed:
            self.close()
            return {}
        return {targets[n]: t * 1e6 for n, t in header["times"].items()} if header["ok"] else {}


def _in_8_bits(kind: _Kind) -> tuple[Graph, dict[str, str]]:
    """The kernel with numbers for its inputs, and the ops at its borders, by what they are measured as.

    A kernel writes the sum over its summand, which has to be made for it in every call.
    """
    options = QuantOptions(ends="int8")
    graph = kind.graph("float32", "input")
    tensors = wanted_ranges(candidates(graph, options, PassResult()))
    low = -1.0 if kind.is_shifted else 0.0
    emit(graph, make_scheme(graph, dict.fromkeys(tensors, (low, 1.0)), options))
    targets: dict[str, str] = {}
    for node in list(graph):
        if node.op.startswith("_"):
            targets[node.name] = "int8"
        elif node.op == "QuantizeV2":
            is_summand = node.inputs[0].node.name == "s"
            targets[node.name] = "summand" if is_summand else "quantize"
            _feed(graph, node, np.zeros(kind.out if is_summand else kind.x, np.float32), None)
            if not is_summand:
                numbers = graph.const(np.zeros(kind.x, np.uint8), name="numbers", type_=_QUINT8)
                for reader in [r for r in node.readers if node.out() in r.inputs]:
                    graph.set_inputs(reader, (numbers if v == node.out() else v for v in reader.inputs))
        elif node.op == "Dequantize":
            targets[node.name] = "dequantize"
            kernel = node.inputs[0].node
            _feed(graph, node, np.zeros(kind.out, np.uint8), _QUINT8)
            graph.keep[kernel] = None
    return graph, targets


def _feed(graph: Graph, node: Node, numbers: Array, type_: DType | None) -> None:
    value = graph.const(numbers, name=f"{node.name}/in", type_=type_)
    graph.set_inputs(node, [value, *node.inputs[1:]])
