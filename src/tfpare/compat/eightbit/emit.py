"""8-bit values, and the nodes that make them from floats and turn them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tfpare.engine.placement import Placement, control_anchor
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import typed_attrs
from tfpare.ir.types import Array, Attr, dtype

MODE = "MIN_FIRST"
QUINT8, QINT32 = dtype("quint8"), dtype("qint32")


class Quantized(NamedTuple):
    """A quantized tensor with the floats that its lowest and highest number stand for."""

    tensor: Value
    low: Value
    high: Value

    @staticmethod
    def of(node: Node) -> Quantized:
        """The three outputs of a quantized op."""
        return Quantized(node.out(0), node.out(1), node.out(2))


class Emitter:
    """Adds nodes to one graph, in the loop frame and on the device of the node that they replace or serve."""

    def __init__(self, graph: Graph, made_by: str = "quantize_nodes") -> None:
        self.graph, self._placement, self._made_by = graph, Placement(graph), made_by

    def op(self, like: Node, op: str, inputs: Iterable[Value], name: str, **attrs: Attr) -> Node:
        """A node whose type attributes follow from its inputs, except those given."""
        values = list(inputs)
        known = typed_attrs(self.graph.registry(op), [v.dtype for v in values], attrs)
        node = self.graph.add(op, values, known, name=name, device=like.device, made_by=self._made_by)
        self._placement.adopt([node], like)
        return node

    def const(self, like: Node, array: Array, name: str, alive: Value | None = None) -> Value:
        """A constant; in a loop, one that is alive when the value `alive` is."""
        value = self.graph.const(array, name=name, made_by=self._made_by)
        value.node.device = like.device
        if alive is not None and self._placement.in_loop(like):
            self.graph.set_controls(value.node, [control_anchor(self.graph, alive, f"{name}/pivot")])
        self._placement.adopt([value.node], like)
        return value

    def quantize(self, reader: Node, value: Value) -> Quantized:
        """A float value in 8 bits, over the range that it turns out to have when the graph runs."""
        base = f"{reader.name}_eightbit/{_spelt(value)}"
        shape, axes = (
            self._tied(reader, array, f"{base}/{name}", value)
            for array, name in (([-1], "reshape_dims"), ([0], "reduction_dims"))
        )
        flat = self.op(reader, "Reshape", [value, shape], f"{base}/reshape").out()
        low, high = (self.op(reader, o, [flat, axes], f"{base}/{o.lower()}").out() for o in ("Min", "Max"))
        inputs = (value, low, high)
        return Quantized.of(self.op(reader, "QuantizeV2", inputs, f"{base}/quantize", T=QUINT8, mode=MODE))

    def _tied(self, reader: Node, numbers: list[int], name: str, value: Value) -> Value:
        """An integer constant that waits for `value`, and so lives where it does.

        A node whose value is fed is not waited for: it would have to run. A Placeholder is its own feed.
        """
        const = self.const(reader, np.array(numbers, np.int32), name)
        runs = value.node.op == "Placeholder" or value not in self.graph.fed
        if runs and value.node.op != "_Arg":
            self.graph.set_controls(const.node, [value.node])
        return const

    def requantize(self, wide: Quantized, low: Value, high: Value, name: str, like: Node) -> Quantized:
        """A 32-bit result in 8 bits over the given range."""
        return Quantized.of(self.op(like, "Requantize", [*wide, low, high], name, out_type=QUINT8))

    def become(self, node: Node, op: str, inputs: Iterable[Value], **attrs: Attr) -> None:
        """Makes a node compute the same outputs in another way; its name, readers and control edges stay."""
        values, spec = list(inputs), self.graph.registry(op)
        node.op, node.spec, node.made_by = op, spec, self._made_by
        node.attrs = typed_attrs(spec, [v.dtype for v in values], attrs)
        self.graph.set_inputs(node, values)

    def become_dequantize(self, node: Node, value: Quantized) -> None:
        """Lets a float node of one output give `value` as floats."""
        self.become(node, "Dequantize", value, mode=MODE)


def _spelt(value: Value) -> str:
    """A tensor's name as part of a node's name."""
    return f"{value.node.name}__port__{value.index}" if value.index else value.node.name
