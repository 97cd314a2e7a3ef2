"""Variables that nothing writes → constants."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from tfpare.errors import UnsupportedModel
from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, FunctionLibrary, Model, Variable
from tfpare.ir.types import Array, Attr, DType, Shape, dtype
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.passes.merge_duplicates import digest

_HANDLES = frozenset({"VarHandleOp"})
_REF_VARIABLES = frozenset({"VariableV2", "Variable"})
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
_REF_TO_VALUE = {
    "RefSwitch": "Switch",
    "RefMerge": "Merge",
    "RefEnter": "Enter",
    "RefExit": "Exit",
    "RefNextIteration": "NextIteration",
    "RefIdentity": "Identity",
}


@dataclass(slots=True)
class _Uses:
    """What happens to each variable: who reads it where, and why it cannot be frozen."""

    blocked: dict[str, str] = field(default_factory=dict[str, str])
    seen: set[tuple[str, int, str]] = field(default_factory=set[tuple[str, int, str]])


@register(after=("inline_functions",))
def freeze_variables(model: Model, options: PassOptions) -> PassResult:
    """ReadVariableOp(v) = the stored value of v; ResourceGather(v, i) = GatherV2(value, i, 0).

    Handles are followed through Identity and into the bodies of loops and branches, which get the value as constant.

    Declines when: something writes the variable; an op that is not understood takes its handle; the checkpoint has no
    value for it; all constants together would pass the 2 GB limit of a GraphDef.
    Source: convert_variables_to_constants, whose silent gaps (ResourceGather, loops, tables) this one does not have.
    """
    result, uses = PassResult(), _Uses()
    for graph in model.graphs:
        for node in graph:
            if _variable_key(node) is not None:
                _follow(graph, node.out(), str(_variable_key(node)), model.library, uses)
    frozen = _choose(model, uses, options, result)
    values: dict[str, Array] = {}
    interned: dict[Hashable, Array] = {}  # Keras 3 stores each weight twice: one copy in memory is enough
    for graph in model.graphs:
        for node in [n for n in graph if _variable_key(n) in frozen and n not in graph.pinned]:
            variable = frozen[str(_variable_key(node))]
            if variable.key not in values:
                loaded = _load(variable)
                values[variable.key] = interned.setdefault(digest(loaded), loaded)
            _Freezer(model.library, variable, values[variable.key], result).freeze(graph, node.out())
            result.applied += 1
    for graph in model.all_graphs():
        graph.sweep()
    return result


def _variable_key(node: Node) -> str | None:
    if node.op not in _HANDLES and node.op not in _REF_VARIABLES:
        return None
    shared = node.get("shared_name", "")
    return shared if isinstance(shared, str) and shared else node.name


def _choose(model: Model, uses: _Uses, options: PassOptions, result: PassResult) -> dict[str, Variable]:
    seen = {str(_variable_key(n)): n for g in model.graphs for n in g if _variable_key(n) is not None}
    chosen: dict[str, Variable] = {}
    total = 0
    for key, node in sorted(
        seen.items(), key=lambda kv: model.variables[kv[0]].n_bytes if kv[0] in model.variables else 0
    ):
        variable = model.variables.get(key)
        if key in uses.blocked:
            result.decline(uses.blocked[key], node.name)
            model.notes.append(f"variable {node.name!r} stays a variable: {uses.blocked[key]}")
        elif variable is None:
            result.decline("the checkpoint holds no value for it", node.name)
            model.notes.append(f"variable {node.name!r} stays a variable: the checkpoint holds no value for it")
        elif total + variable.n_bytes > options.freeze_limit_bytes:
            result.decline("constants would pass the size limit of a GraphDef", node.name)
            model.notes.append(f"variable {node.name!r} stays a variable: constants would pass the 2 GB limit")
        else:
            total += variable.n_bytes
            chosen[key] = variable
    return chosen


def _load(variable: Variable) -> Array:
    value = variable.load()
    if not Shape(tuple(value.shape)).is_compatible(variable.shape):
        raise UnsupportedModel(
            f"Variable {variable.key!r} has shape {variable.shape} in the graph, {list(value.shape)} in the checkpoint."
        )
    return value


def _follow(graph: Graph, value: Value, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    """Walks the readers of a handle; records the first reason against freezing it."""
    for key_, output in graph.outputs.items():
        if output == value:
            uses.blocked.setdefault(key, f"its handle is returned as {key_!r}")
    for reader in value.node.readers:
        for position, read in enumerate(reader.inputs):
            if read == value:
                _follow_reader(graph, reader, position, key, library, uses)


def _follow_reader(graph: Graph, reader: Node, position: int, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    if reader in graph.pinned or reader.op in _READS:
        return
    if reader.op in ("Identity", *_REF_TO_VALUE):
        if reader.dtypes[0].name == "resource" or reader.dtypes[0].is_ref:
            for port in range(len(reader.dtypes)):
                _follow(graph, Value(reader, port), key, library, uses)
    elif reader.op in REWRITTEN_CALLERS:
        _follow_call(graph, reader, position, key, library, uses)
    elif reader.inputs[position].dtype.is_ref and not _takes_ref(reader, position):
        return
    else:
        uses.blocked.setdefault(key, f"{reader.op} {reader.name!r} may write it")


def _takes_ref(node: Node, position: int) -> bool:
    return node.spec is None or node.spec.input_dtypes(node.attrs)[position].is_ref


def _follow_call(graph: Graph, node: Node, position: int, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    offset = 0 if node.op in ("While", "StatelessWhile", "PartitionedCall", "StatefulPartitionedCall") else 1
    for func in functions_of(node):
        visit = (func.name, position - offset, key)
        if visit in uses.seen:
            continue
        uses.seen.add(visit)
        body = library.graph(func.name)
        arg = body.args[position - offset].out()
        if node.op in ("While", "StatelessWhile"):
            outputs = list(body.outputs.values())
            is_cond = func == node.attrs["cond"]
            if not is_cond and outputs[position] != arg:
                uses.blocked.setdefault(key, f"loop {node.name!r} replaces its handle")
            _follow_inner(body, arg, key, library, uses)
        else:
            _follow(body, arg, key, library, uses)
    if node.op in ("While", "StatelessWhile"):
        _follow(graph, Value(node, position), key, library, uses)


def _follow_inner(body: Graph, arg: Value, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    for reader in arg.node.readers:
        for position, read in enumerate(reader.inputs):
            if read == arg:
                _follow_reader(body, reader, position, key, library, uses)


@dataclass(slots=True)
class _Freezer:
    """Replaces every read of one variable by its value."""

    library: FunctionLibrary
    variable: Variable
    array: Array
    result: PassResult

    def freeze(self, graph: Graph, handle: Value) -> None:
        """Replaces the reads of `handle` in `graph`, following it into bodies."""
        if handle.node.op in _REF_VARIABLES:
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
            if reader.op in _REF_TO_VALUE:
                reader.op = _REF_TO_VALUE[reader.op]
                reader.spec = graph.registry(reader.op)
                reader.dtypes = tuple(t.base for t in reader.dtypes)
                for port in range(len(reader.dtypes)):
                    self._unref_readers(graph, Value(reader, port))

    def _freeze_reader(self, graph: Graph, handle: Value, reader: Node) -> None:
        if reader.op == "Identity":
            self.freeze(graph, reader.out())
        elif reader.op in REWRITTEN_CALLERS:
            self._freeze_in_call(graph, handle, reader)
        elif reader.op in _READS:
            value = self._read(graph, reader)
            graph.replace_value(reader.out(), value)
            graph.replace_control(reader, [value.node])
            if reader in graph.keep:
                del graph.keep[reader]
            graph.remove(reader)

    def _read(self, graph: Graph, reader: Node) -> Value:
        name, controls = f"{reader.name}/value", _needed_controls(graph, reader)
        if reader.op == "VarIsInitializedOp":
            return graph.const(np.array(True), name=name)
        if reader.op == "VariableShape":
            type_ = reader["out_type"]
            target = type_.numpy if isinstance(type_, DType) else np.int32
            return graph.const(np.array(self.array.shape, target), name=name)
        value = self._const(graph, name, controls)
        if reader.op == "ReadVariableOp":
            return value
        return self._gather(graph, reader, value)

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
        is_loop = call.op in ("While", "StatelessWhile")
        offset = 0 if is_loop or call.op.endswith("PartitionedCall") else 1
        for position, read in enumerate(call.inputs):
            if read != handle:
                continue
            for func in functions_of(call):
                body = self.library.graph(func.name)
                self.freeze(body, body.args[position - offset].out())
            if is_loop:
                self.freeze(graph, Value(call, position))


def _needed_controls(graph: Graph, reader: Node) -> tuple[Node, ...]:
    """In TF 1 control flow a control edge places the read in its branch or frame; elsewhere a constant needs none."""
    return reader.controls if graph.has_v1_control_flow else ()
