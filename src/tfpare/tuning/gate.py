"""Which layers are worth 8 bits on this machine: a minimum cut over measured times.

With the layers in 8 bits on one side, what is lost against the best that each could have is the capacity of a cut::

    8 bits → layer               what the layer saves, lost where it stays in float
    layer → float                what it costs, where its float kernel is faster
    layer → after(v) → readers   a Dequantize, where the layer is in 8 bits and some reader of v is not
    readers → before(v) → layer  a Quantize, where some reader is in 8 bits and the layer is not
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from tfpare.ir.graph import Graph, Node, Value
from tfpare.layout.minimum_cut import Network
from tfpare.precision.costs import elements
from tfpare.quant.moves import moved_inputs
from tfpare.quant.planner import Scheme
from tfpare.quant.units import Unit
from tfpare.tuning.op_times import OpTimes

_NS = 1000.0  # capacities are whole numbers


@dataclass(frozen=True, slots=True)
class Refusal:
    """A layer that is not to be in 8 bits.

    Attributes:
        why: with the times.
    """

    name: str
    op: str
    why: str


def slower_layers(graph: Graph, scheme: Scheme, times: Mapping[Unit, OpTimes], other: str) -> list[Refusal]:
    """The layers that would make the model slower in 8 bits.

    Args:
        graph: that the plan is for.
        scheme: the plan with every layer in 8 bits.
        times: of the layers; one that is not among them is taken to be worth it.
        other: what a layer computes in otherwise: `float32` or `bfloat16`, whichever is faster of it and float32.
    """
    side = _Cut(graph, scheme, times, other).solve()
    return [Refusal(u.name, u.linear.op, _why(times[u], other)) for u in scheme.units if u in times and u not in side]


def _float_us(times: OpTimes, other: str) -> float | None:
    found = [t for t in (times.float32, times.bfloat16 if other == "bfloat16" else None) if t is not None]
    return min(found, default=None)


def _why(times: OpTimes, other: str) -> str:
    before = _float_us(times, other)
    if before is None or times.int8 is None:
        return "its 8-bit kernel does not run here"
    detail = f"{times.int8:.0f} µs in 8 bits, {before:.0f} µs in float"
    if times.int8 >= before:
        return f"8 bits are not faster here ({detail})"
    return f"8 bits save less than rounding its tensors costs ({detail})"


class _Cut:
    def __init__(self, graph: Graph, scheme: Scheme, times: Mapping[Unit, OpTimes], other: str) -> None:
        self._network = Network()
        self._source, self._sink = self._network.vertex(), self._network.vertex()
        self._units = {u: self._network.vertex() for u in scheme.units}
        self._moves = {n: self._network.vertex() for n in scheme.moves}
        self._makers = {u.out: v for u, v in self._units.items()} | {n.out(): v for n, v in self._moves.items()}
        self._inside = {n: v for u, v in self._units.items() for n in u.nodes}
        savings = {u: self._saving(times.get(u), other) for u in scheme.units}
        quantize, dequantize = _border_ns(times)
        values = dict.fromkeys(v for u in scheme.units for v in (u.x, u.summand, u.out) if v is not None)
        values |= dict.fromkeys(v for n in scheme.moves for v in (*moved_inputs(n), n.out()))
        costs = {v: (quantize * elements(v.shape), dequantize * elements(v.shape)) for v in values}
        self._never = round(sum(map(abs, savings.values())) + sum(map(sum, costs.values()))) + 1
        for unit, saving in savings.items():
            ends = (self._source, self._units[unit]) if saving > 0 else (self._units[unit], self._sink)
            self._network.edge(*ends, abs(saving))
        outputs = set(graph.outputs.values())
        for value, (before, after) in costs.items():
            self._connect(value, round(before), round(after), value in outputs)

    def solve(self) -> set[Unit]:
        """The units on the side of 8 bits."""
        side = self._network.largest_source_side(self._source, self._sink)
        return {u for u, vertex in self._units.items() if vertex in side}

    def _saving(self, times: OpTimes | None, other: str) -> int:
        if times is None:
            return 1  # not known: as the plan has it
        before = _float_us(times, other)
        return -round(_NS) if before is None or times.int8 is None else round((before - times.int8) * _NS)

    def _connect(self, value: Value, quantize: int, dequantize: int, is_output: bool) -> None:
        maker = self._makers.get(value, self._sink)
        before, after = self._network.vertex(), self._network.vertex()
        self._network.edge(before, maker, quantize)
        self._network.edge(maker, after, dequantize)
        if is_output:
            self._network.edge(after, self._sink, self._never)
        for reader in value.node.readers:
            if value in reader.inputs:
                self._connect_reader(reader, before, after)

    def _connect_reader(self, reader: Node, before: int, after: int) -> None:
        vertex = self._moves.get(reader, self._inside.get(reader))
        if vertex is None:
            self._network.edge(after, self._sink, self._never)
            return
        self._network.edge(vertex, before, self._never)
        self._network.edge(after, vertex, self._never)


def _border_ns(times: Mapping[Unit, OpTimes]) -> tuple[float, float]:
    """Nanoseconds an element of QuantizeV2 and Dequantize, the middle of what was measured."""
    quantize = [t.quantize * _NS / elements(u.x.shape) for u, t in times.items() if t.quantize]
    dequantize = [t.dequantize * _NS / elements(u.out.shape) for u, t in times.items() if t.dequantize]
    return median(quantize) if quantize else 0.0, median(dequantize) if dequantize else 0.0
