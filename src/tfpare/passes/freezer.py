"""Replacing the reads of one variable by its value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, FunctionLibrary, Variable
from tfpare.ir.types import Array, Attr, DType, dtype

REF_VARIABLES = frozenset({"VariableV2", "Variable"})
READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
LOOPS = frozenset({"While", "StatelessWhile"})
REF_TO_VALUE = {
    "RefSwitch": "Switch",
    "RefMerge": "Merge",
    "RefEnter": "Enter",
    "RefExit": "Exit",
    "RefNextIteration": "NextIteration",
    "RefIdentity": "Identity",
}
PLACES = frozenset({"Enter", "Switch"})
"""TF 1 ops that carry a handle into a loop or branch; what is read there has to come out of them."""


@dataclass(slots=True)
class Freezer:
    """Replaces every read of one variable by its value."""

    library: FunctionLibrary
    variable: Variable
    array: Array
    _running: dict[Graph, set[Node]] = field(default_factory=dict[Graph, "set[Node]"])

    def freeze(self, graph: Graph, handle: Value) -> None:
        """Replaces the reads of `handle` in `graph`, following it into bodies."""
        if handle.node.op in REF_VARIABLES:
            self._freeze_ref(graph, handle)
            return
        for reader in list(handle.node.readers):
            if handle in reader.inputs and reader not in graph.pinned:
                self._freeze_reader(graph, handle, reader)

    def _const(self, graph: Graph, name: str, controls: tuple[Node, ...] = ()) -> Value:
        value = graph.const(self.array, name=name, type_=self.variable.dtype, made_by="freeze_variables")
        graph.set_controls(value.node, controls)
        return value

    def _freeze_ref(self, graph: Graph, handle: Value) -> None:
        node = handle.node
        value = self._const(graph, f"{node.name}/value", node.controls)
        graph.replace_value(handle, value)
        graph.replace_control(node, [value.node])
        self._unref_readers(graph, value)
        if not node.readers and node not in graph.pinned:
            graph.remove(node)
            graph.rename(value.node, node.name)

    def _unref_readers(self, graph: Graph, value: Value) -> None:
        for reader in list(value.node.readers):
            if reader.op in REF_TO_VALUE:
                reader.op = REF_TO_VALUE[reader.op]
                reader.spec = graph.registry(reader.op)
                reader.dtypes = tuple(t.base for t in reader.dtypes)
                for port in range(len(reader.dtypes)):
                    self._unref_readers(graph, Value(reader, port))

    def _freeze_reader(self, graph: Graph, handle: Value, reader: Node) -> None:
        if reader.op == "Identity":
            self.freeze(graph, reader.out())
        elif reader.op in REWRITTEN_CALLERS:
            self._freeze_in_call(graph, handle, reader)
        elif reader.op in READS:
            _replace(graph, reader, self._read(graph, reader))
        elif reader.op in PLACES:
            self._carry(graph, reader, self._const(graph, f"{reader.name}/value", reader.controls))

    def _carry(self, graph: Graph, carrier: Node, value: Value) -> None:
        """Lets an Enter or Switch carry the value instead of the handle."""
        attrs: dict[str, Attr] = {**carrier.attrs, "T": self.variable.dtype}
        name, inputs = f"{carrier.name}/carried", (value, *carrier.inputs[1:])
        carried = graph.add(carrier.op, inputs, attrs, name=name, controls=carrier.controls)
        for port in range(len(carrier.dtypes)):
            self._read_carried(graph, Value(carrier, port), carried.out(port))
        graph.replace_control(carrier, [carried])

    def _read_carried(self, graph: Graph, handle: Value, value: Value) -> None:
        for reader in [r for r in handle.node.readers if handle in r.inputs]:
            if reader.op in PLACES:
                self._carry(graph, reader, value)
            elif reader.op == "Identity":
                self._read_carried(graph, reader.out(), value)
            else:
                attrs: dict[str, Attr] = {"T": self.variable.dtype}
                copy = graph.add("Identity", [value], attrs, name=f"{reader.name}/value", controls=reader.controls)
                is_read = reader.op == "ReadVariableOp"
                _replace(graph, reader, copy.out() if is_read else self._gather(graph, reader, copy.out()))

    def _read(self, graph: Graph, reader: Node) -> Value:
        name, controls = f"{reader.name}/value", self._needed_controls(graph, reader)
        if reader.op == "VarIsInitializedOp":
            value = graph.const(np.array(True), name=name)
        elif reader.op == "VariableShape":
            type_ = reader["out_type"]
            target = type_.numpy if isinstance(type_, DType) else np.int32
            value = graph.const(np.array(self.array.shape, target), name=name)
        else:
            value = self._const(graph, name)
        graph.set_controls(value.node, controls)
        return self._gather(graph, reader, value) if reader.op.startswith("ResourceGather") else value

    def _gather(self, graph: Graph, reader: Node, value: Value) -> Value:
        indices = reader.inputs[1]
        types: dict[str, Attr] = {"Tparams": self.variable.dtype, "Tindices": indices.dtype}
        if reader.op == "ResourceGatherNd":
            return graph.add("GatherNd", (value, indices), types, name=reader.name, shapes=reader.shapes).out()
        batch_dims = reader.get("batch_dims", 0)
        axis = graph.const(np.array(batch_dims, np.int32), name=f"{reader.name}/axis")
        graph.set_controls(axis.node, value.node.controls)
        types |= {"Taxis": dtype("int32"), "batch_dims": batch_dims}
        return graph.add("GatherV2", (value, indices, axis), types, name=reader.name, shapes=reader.shapes).out()

    def _freeze_in_call(self, graph: Graph, handle: Value, call: Node) -> None:
        is_loop = call.op in LOOPS
        offset = 0 if is_loop or call.op.endswith("PartitionedCall") else 1
        for position, read in enumerate(call.inputs):
            if read != handle:
                continue
            for func in functions_of(call):
                body = self.library.graph(func.name)
                self.freeze(body, body.args[position - offset].out())
            if is_loop:
                self.freeze(graph, Value(call, position))

    def _needed_controls(self, graph: Graph, reader: Node) -> tuple[Node, ...]:
        """A constant needs to wait for nothing, but what waits for it may be all that runs an effect.

        In TF 1 control flow, a control edge also places the read in its branch or frame.
        """
        if not reader.controls or graph.has_v1_control_flow:
            return reader.controls
        if graph not in self._running:
            self._running[graph] = _ancestors(graph.keep)
        return tuple(c for c in reader.controls if c not in self._running[graph])


def _replace(graph: Graph, reader: Node, value: Value) -> None:
    graph.replace_value(reader.out(), value)
    graph.replace_control(reader, [value.node])
    graph.keep.pop(reader, None)
    graph.remove(reader)


def _ancestors(ends: Iterable[Node]) -> set[Node]:
    """What runs in any case: the nodes that are kept and all that they need."""
    seen: set[Node] = set()
    stack = list(ends)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend((*node.controls, *(v.node for v in node.inputs)))
    return seen
