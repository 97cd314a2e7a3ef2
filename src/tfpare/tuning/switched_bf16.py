"""The float graph with a switch for every layer that bfloat16 would round: one graph answers for all choices.

A tensor is rounded for a reader that is in bfloat16, and for every reader where its maker is; a constant for the reader
alone::

    t' = SelectV2(maker's flag or reader's flag, Cast(Cast(t, bfloat16), float32), t)

A layer is a contraction with its bias, or another op that rounds its result. Ops whose result is one of their inputs or
nothing else (Relu, pools of maxima, reshapes) round nothing: they have no switch. Where TensorFlow fuses a sum into the
contraction before it, one rounding less happens than here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, DType, Shape, dtype
from tfpare.precision import ops
from tfpare.precision.choice import BFLOAT16, FLOAT32, Candidates, choose
from tfpare.precision.costs import cast_ns, saved_ns
from tfpare.precision.retype import Retyping
from tfpare.precision.rounding import kernel_axes, round_to_bfloat16
from tfpare.tuning.switches import Layer, add_flag, add_select

_ROUNDING_MOVES = frozenset({"AvgPool", "AvgPool3D", "FusedBatchNormV2", "FusedBatchNormV3"})
_EXACT = (ops.MOVES.keys() - _ROUNDING_MOVES) | {"Relu", "Relu6", "Maximum", "Minimum", "Abs", "Neg"}
_BIASES = ("BiasAdd", "Add", "AddV2")


def emit_switched(graph: Graph, keeps: Callable[[str], bool]) -> list[Layer]:
    """Rewrites the graph; returns the layers that bfloat16 would round.

    Args:
        graph: as the pipeline leaves it before its precision changes, with shapes.
        keeps: whether a node of this name stays in float32 anyway.
    """
    plans = choose(Candidates(graph, keeps))
    groups = _groups(graph, plans)
    layers = [_layer(graph, nodes) for nodes in groups]
    _Switched(graph, plans, layers, {n: k for k, nodes in enumerate(groups) for n in nodes}).run()
    return layers


def _groups(graph: Graph, plans: dict[Node, Retyping]) -> list[list[Node]]:
    """The nodes of each layer, contractions first in theirs."""
    groups: list[list[Node]] = []
    taken: set[Node] = set()
    for node in plans:
        if node.op in ops.CONTRACTIONS:
            bias = _bias(graph, node)
            groups.append([node] if bias is None or bias not in plans else [node, bias])
            taken.update(groups[-1])
    groups += [[n] for n in plans if n not in taken and n.op not in _EXACT]
    order = {n: k for k, n in enumerate(graph)}
    return sorted(groups, key=lambda nodes: order[nodes[0]])


def _bias(graph: Graph, node: Node) -> Node | None:
    """The sum with a constant that alone reads a contraction."""
    if len(node.readers) != 1 or node.out() in graph.outputs.values():
        return None
    reader = next(iter(node.readers))
    others = [v for v in reader.inputs if v != node.out()]
    is_bias = reader.op in _BIASES and len(others) == 1 and others[0].constant is not None
    return reader if is_bias else None


def _layer(graph: Graph, nodes: list[Node]) -> Layer:
    saved = sum(saved_ns(graph, n) for n in nodes)
    gain = max(saved, 0.0) + cast_ns(nodes[-1].out())  # in float32 it has a Cast more, mostly
    first = nodes[0]
    return Layer(first.name, first.op, tuple(n.name for n in nodes), add_flag(graph, first.name), gain)


class _Switched:
    """One graph's rewriting."""

    def __init__(self, graph: Graph, plans: dict[Node, Retyping], layers: list[Layer], owners: dict[Node, int]) -> None:
        self._graph, self._plans, self._layers, self._owners = graph, plans, layers, owners
        self._rounded: dict[Value, Value] = {}
        self._chosen: dict[tuple[Value, Value, tuple[int, ...]], Value] = {}

    def run(self) -> None:
        """Rewrites it."""
        nodes = list(self._graph)
        inputs = {n: [self._input(n, k, v) for k, v in enumerate(n.inputs)] for n in nodes}
        outputs = {key: self._output(value) for key, value in self._graph.outputs.items()}
        for node, values in inputs.items():
            if values != list(node.inputs):
                self._graph.set_inputs(node, values)
        self._graph.outputs.update(outputs)

    def _maker(self, value: Value) -> int | None:
        owner = self._owners.get(value.node)
        return owner if owner is not None and value.index in self._plans[value.node].outputs else None

    def _input(self, node: Node, position: int, value: Value) -> Value:
        maker, owner = self._maker(value), self._owners.get(node)
        reader = owner if owner is not None and position in self._plans[node].inputs else None
        if maker is not None and maker == owner:
            return value
        flags = tuple(sorted({k for k in (maker, reader) if k is not None}))
        if not flags:
            return value
        constant = None if value in self._graph.fed else value.constant
        if constant is None:
            return self._select(value, self._round(value), flags)
        axes = kernel_axes(node) if position == 1 else None
        name = f"{node.name}/input{position}/bfloat16"
        return self._select(value, self._graph.const(_in_bfloat16(constant, axes), name=name), flags)

    def _output(self, value: Value) -> Value:
        maker = self._maker(value)
        return value if maker is None else self._select(value, self._round(value), (maker,))

    def _round(self, value: Value) -> Value:
        if value not in self._rounded:
            name = f"{value.node.name}/port{value.index}"
            narrow = self._cast(value, FLOAT32, BFLOAT16, f"{name}/bfloat16")
            self._rounded[value] = self._cast(narrow, BFLOAT16, FLOAT32, f"{name}/rounded")
        return self._rounded[value]

    def _cast(self, value: Value, source: DType, target: DType, name: str) -> Value:
        attrs = {"SrcT": source, "DstT": target}
        return self._graph.add("Cast", [value], attrs, name=name, shapes=(value.shape,)).out()

    def _select(self, value: Value, rounded: Value, flags: tuple[int, ...]) -> Value:
        key = (value, rounded, flags)
        if key not in self._chosen:
            flag = self._layers[flags[0]].flag
            for other in flags[1:]:
                both = [flag, self._layers[other].flag]
                flag = self._graph.add("LogicalOr", both, name=f"{value.node.name}/either", shapes=(Shape(()),)).out()
            self._chosen[key] = add_select(self._graph, flag, rounded, value)
        return self._chosen[key]


def _in_bfloat16(constant: Array, axes: tuple[int, ...] | None) -> Array:
    """A constant's numbers as the conversion rounds them, in float32."""
    narrow = constant.astype(dtype("bfloat16").numpy) if axes is None else round_to_bfloat16(constant, axes)
    return narrow.astype(np.float32)
