"""Converts chosen nodes in place, with Transposes where layouts meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tfpare.engine.placement import Placement, control_anchor
from tfpare.ir.graph import Node, Value
from tfpare.ir.types import UNKNOWN, Array, Shape
from tfpare.layout.choice import Candidates

_MADE_BY = "convert_layout"


class Converter:
    """One graph's conversion.

    A converted node gets another name, so that no name comes to mean another value; a Transpose back into the original
    layout takes the old one.

    Attributes:
        before: node → a value that it now reads through a new Transpose out of the other layout.
        after: value → node that now reads it through a new Transpose into the other layout.
    """

    def __init__(self, candidates: Candidates, chosen: Sequence[Node]) -> None:
        self._graph, self._direction = candidates.graph, candidates.direction
        self._plans, self._chosen = candidates.plans, dict.fromkeys(chosen)
        self._placement = Placement(self._graph)
        self._names = {n: n.name for n in chosen}
        self._stored: dict[Value, Value] = {}
        self._orders: dict[Node, list[int]] = {}
        self._made: dict[tuple[Value, str], Value] = {}
        self._integers: dict[tuple[tuple[int, ...], Node | None], Value] = {}
        self.before: dict[Node, Value] = {}
        self.after: dict[Value, Node] = {}

    def run(self) -> None:
        """Rewrites the graph."""
        for node, plan in self._plans.items():
            if node.op == "Transpose" and plan.as_stored:
                self._merge_into_transpose(node)
        for node in self._chosen:
            self._graph.rename(node, self._graph.fresh_name(f"{node.name}/{self._direction.target}"))
        inputs = {node: self._inputs_of(node) for node in self._affected()}
        outputs = {key: self._original(value) for key, value in self._graph.outputs.items()}
        for node, values in inputs.items():
            self._graph.set_inputs(node, values)
        self._graph.outputs.update(outputs)
        for node in self._chosen:
            self._convert(node)
        self._graph.sweep()

    def _affected(self) -> dict[Node, None]:
        changed = [*self._chosen, *self._orders, *(v.node for v in self._stored)]
        return dict.fromkeys([*self._chosen, *self._orders, *(r for n in changed for r in n.readers)])

    def _is_converted(self, value: Value) -> bool:
        return value.node in self._chosen and value.index in self._plans[value.node].outputs

    def _merge_into_transpose(self, node: Node) -> None:
        """The permutation between how input and output are stored; where it permutes nothing, they are one value."""
        order = node.inputs[1].constant
        assert order is not None
        old, rank = [int(k) for k in order], order.size
        new = [old[k] for k in self._direction.permutation(rank)] if self._is_converted(node.out()) else old
        if self._is_converted(node.inputs[0]):
            inverse = self._direction.inverse(rank)
            new = [inverse[k] for k in new]
        if new == list(range(rank)):
            self._stored[node.out()] = node.inputs[0]
        elif new != old:
            self._orders[node] = new

    def _as_stored(self, value: Value) -> Value:
        while value in self._stored:
            value = self._stored[value]
        return value

    def _inputs_of(self, node: Node) -> Iterator[Value] | list[Value]:
        plan = self._plans.get(node)
        return [
            self._as_stored(value) if plan and position in plan.as_stored else self._input(node, position, value)
            for position, value in enumerate(node.inputs)
        ]

    def _input(self, node: Node, position: int, value: Value) -> Value:
        if node in self._orders and position == 1:
            return self._constant(value, np.array(self._orders[node], value.dtype.numpy))
        plan = self._plans[node] if node in self._chosen else None
        if plan is not None and position in plan.inputs:
            return self._other(value, node)
        if plan is not None and position in plan.constants:
            return self._constant(value, plan.constants[position])
        original = self._original(value, node)
        if plan is not None and position in plan.vectors:
            return self._gathered(original, self._direction.permutation(plan.vectors[position]))
        return original

    def _other(self, value: Value, reader: Node) -> Value:
        """The value in the other layout."""
        if self._is_converted(value):
            return self._as_stored(value)
        if (value, "other") not in self._made:
            rank = next(r for k, r in self._plans[reader].inputs.items() if reader.inputs[k] == value)
            self.after[value] = reader
            order, shape = self._direction.permutation(rank), self._direction.shape(value.shape)
            name = f"{value.node.name}/to_{self._direction.target}"
            self._made[value, "other"] = self._transposed(self._as_stored(value), order, shape, name)
        return self._made[value, "other"]

    def _original(self, value: Value, reader: Node | None = None) -> Value:
        """The value in the original layout, or (the shape of a converted tensor) in the original order."""
        plan = self._plans[value.node] if value.node in self._chosen else None
        if plan is not None and value.index in plan.shapes:
            key = value, "entries"
            if key not in self._made:
                self._made[key] = self._gathered(value, self._direction.inverse(plan.shapes[value.index]))
            return self._made[key]
        if plan is None or not self._is_converted(value):
            return self._as_stored(value)
        if reader is not None:
            self.before.setdefault(reader, value)
        if (value, "original") not in self._made:
            order, source = self._direction.inverse(plan.outputs[value.index]), self._as_stored(value)
            name = self._names[value.node] + (f"/port{value.index}" if value.index else "")
            self._made[value, "original"] = self._transposed(source, order, value.shape, name)
        return self._made[value, "original"]

    def _transposed(self, value: Value, order: tuple[int, ...], shape: Shape, name: str) -> Value:
        attrs = {"T": value.dtype.base}
        inputs = [value, self._integer(order, value)]
        device = value.node.device
        return self._graph.add(
            "Transpose", inputs, attrs, name=name, shapes=(shape,), device=device, made_by=_MADE_BY
        ).out()

    def _gathered(self, value: Value, order: tuple[int, ...]) -> Value:
        inputs = [value, self._integer(order, value), self._integer((), value)]
        attrs = {"Tparams": value.dtype.base, "Tindices": inputs[1].dtype, "Taxis": inputs[2].dtype}
        name = self._names.get(value.node, f"{value.node.name}/to_{self._direction.target}")
        return self._graph.add("GatherV2", inputs, attrs, name=name, made_by=_MADE_BY).out()

    def _integer(self, items: tuple[int, ...], beside: Value) -> Value:
        """A permutation (or without items the axis 0), in the loop frame of the value that it is used with."""
        anchor = beside.node if self._placement.in_loop(beside.node) else None
        if (items, anchor) not in self._integers:
            array = np.array(items or 0, np.int32)
            made = self._graph.const(array, name=f"{_MADE_BY}/{'order' if items else 'axis'}", made_by=_MADE_BY)
            if anchor is not None:
                self._graph.set_controls(made.node, [control_anchor(self._graph, beside, f"{anchor.name}/pivot")])
            self._integers[items, anchor] = made
        return self._integers[items, anchor]

    def _constant(self, old: Value, array: Array) -> Value:
        """What takes a constant's place; control edges tie it to the same branch or loop."""
        if old.constant is not None and np.array_equal(array, old.constant):
            return old
        name = f"{old.node.name}/{self._direction.target}"
        made = self._graph.const(array, name=name, type_=old.dtype.base, made_by=_MADE_BY)
        self._graph.set_controls(made.node, old.node.controls)
        return made

    def _convert(self, node: Node) -> None:
        plan = self._plans[node]
        node.attrs.update(plan.attrs)
        node.made_by = _MADE_BY
        known = node.shapes + (UNKNOWN,) * (len(node.dtypes) - len(node.shapes))
        turned = [self._direction.shape(s) if k in plan.outputs else s for k, s in enumerate(known)]
        node.shapes = tuple(UNKNOWN if k in plan.shapes else s for k, s in enumerate(turned))
