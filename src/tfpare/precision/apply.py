"""Changes the float type of chosen nodes in place, with Casts where types meet."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, DType
from tfpare.precision.retype import Retyping
from tfpare.precision.rounding import kernel_axes, round_to_bfloat16


class Converter:
    """One graph's conversion.

    A converted node gets another name, so that no name comes to mean another value; a Cast back into the old type takes
    the old one. Constants are converted now: kernels as `tfpare.precision.rounding` does, others to the nearest number.

    Attributes:
        casts: how many Casts there are at the borders.
    """

    def __init__(self, graph: Graph, chosen: Mapping[Node, Retyping], old: DType, new: DType, made_by: str) -> None:
        self._graph, self._chosen, self._old, self._new, self._made_by = graph, chosen, old, new, made_by
        self._names = {n: n.name for n in chosen}
        self._made: dict[tuple[Value, DType], Value] = {}
        self._constants: dict[tuple[Value, tuple[int, ...] | None], Value] = {}
        self.casts = 0

    def run(self) -> None:
        """Rewrites the graph."""
        for node in self._chosen:
            self._graph.rename(node, self._graph.fresh_name(f"{node.name}/{self._new}"))
        affected = dict.fromkeys([*self._chosen, *(r for n in self._chosen for r in n.readers)])
        inputs = {node: [self._input(node, k, v) for k, v in enumerate(node.inputs)] for node in affected}
        outputs = {key: self._in_old(value) for key, value in self._graph.outputs.items()}
        for node, values in inputs.items():
            self._graph.set_inputs(node, values)
        self._graph.outputs.update(outputs)
        for node, plan in self._chosen.items():
            self._retype(node, plan)
        self._graph.sweep()

    def _input(self, node: Node, position: int, value: Value) -> Value:
        wants_new = node in self._chosen and position in self._chosen[node].inputs
        if not wants_new:
            return self._in_old(value)
        return self._in_new(value, kernel_axes(node) if position == 1 else None)

    def _is_new(self, value: Value) -> bool:
        return value.node in self._chosen and value.index in self._chosen[value.node].outputs

    def _in_old(self, value: Value) -> Value:
        if not self._is_new(value):
            return value
        name = self._names[value.node] + (f"/port{value.index}" if value.index else "")
        return self._cast(value, self._new, self._old, name)

    def _in_new(self, value: Value, axes: tuple[int, ...] | None) -> Value:
        """The value in the new type; `axes` of its output channels where it is a kernel."""
        if self._is_new(value):
            return value
        constant = None if value in self._graph.fed else value.constant
        if constant is None:
            return self._cast(value, self._old, self._new, f"{value.node.name}/to_{self._new}")
        if (value, axes) not in self._constants:
            array = self._rounded(constant, axes)
            made = self._graph.const(array, name=f"{value.node.name}/{self._new}", made_by=self._made_by)
            self._graph.set_controls(made.node, value.node.controls)
            made.node.device = value.node.device
            self._constants[value, axes] = made
        return self._constants[value, axes]

    def _rounded(self, constant: Array, axes: tuple[int, ...] | None) -> Array:
        if axes is None or self._new.name != "bfloat16":
            return constant.astype(self._new.numpy)
        return round_to_bfloat16(constant, axes)

    def _cast(self, value: Value, source: DType, target: DType, name: str) -> Value:
        if (value, target) not in self._made:
            self.casts += 1
            attrs = {"SrcT": source, "DstT": target}
            shapes, device = (value.shape,), value.node.device
            dtypes = (target,)  # the node before it still has its old type
            node = self._graph.add(
                "Cast", [value], attrs, name=name, dtypes=dtypes, shapes=shapes, device=device, made_by=self._made_by
            )
            self._made[value, target] = node.out()
        return self._made[value, target]

    def _retype(self, node: Node, plan: Retyping) -> None:
        node.attrs.update(plan.attrs)
        node.made_by = self._made_by
        assert node.spec is not None
        node.dtypes = node.spec.output_dtypes(node.attrs)
