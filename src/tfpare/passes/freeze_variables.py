"""Variables that nothing writes → constants."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from tfpare.errors import UnsupportedModel
from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, VARIABLE_OPS, FunctionLibrary, Model, Variable, variable_key
from tfpare.ir.ops import CALLS
from tfpare.ir.types import Array, Shape
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.passes.freeze_limit import over_limit
from tfpare.passes.freezer import LOOPS, PLACES, READS, REF_TO_VALUE, Freezer
from tfpare.passes.merge_duplicates import digest


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
            Freezer(model.library, variable, values[variable.key]).freeze(graph, node.out())
            result.applied += 1
    for graph in model.all_graphs():
        graph.sweep()
    return result


def _variable_key(node: Node) -> str | None:
    return variable_key(node) if node.op in VARIABLE_OPS else None


def _choose(model: Model, uses: _Uses, options: PassOptions, result: PassResult) -> dict[str, Variable]:
    seen = {str(_variable_key(n)): n for g in model.graphs for n in g if _variable_key(n) is not None}
    chosen: dict[str, Variable] = {}
    for key, node in seen.items():
        variable = model.variables.get(key)
        reason = uses.blocked.get(key) or ("" if variable else "the checkpoint holds no value for it")
        if reason or variable is None:
            _leave(model, result, node, reason)
        else:
            chosen[key] = variable
    for variable in over_limit(model, list(chosen.values()), options.freeze_limit_bytes):
        _leave(
            model, result, seen[variable.key], f"constants would pass the limit of {options.freeze_limit_bytes:,} bytes"
        )
        del chosen[variable.key]
    return chosen


def _leave(model: Model, result: PassResult, node: Node, reason: str) -> None:
    variable = model.variables.get(str(_variable_key(node)))
    name = variable.label if variable is not None and variable.label else node.name
    result.decline(reason, name)
    model.notes.append(f"variable {name!r} stays a variable: {reason}")


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
    if reader in graph.pinned or reader.op in READS:
        return
    if reader.op in PLACES and reader.dtypes[0].name == "resource":
        _follow_place(graph, reader, key, library, uses)
    elif reader.op in ("Identity", *REF_TO_VALUE):
        if reader.dtypes[0].name == "resource" or reader.dtypes[0].is_ref:
            for port in range(len(reader.dtypes)):
                _follow(graph, Value(reader, port), key, library, uses)
    elif reader.op in REWRITTEN_CALLERS:
        _follow_call(graph, reader, position, key, library, uses)
    elif reader.inputs[position].dtype.is_ref and not _takes_ref(reader, position):
        return
    else:
        uses.blocked.setdefault(key, f"{reader.op} {reader.name!r} may write it")


def _follow_place(graph: Graph, place: Node, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    for port in range(len(place.dtypes)):
        _follow(graph, Value(place, port), key, library, uses)
    for reader in place.readers:
        if reader.op in REWRITTEN_CALLERS or reader.op in ("VarIsInitializedOp", "VariableShape"):
            uses.blocked.setdefault(key, f"{reader.op} {reader.name!r} takes its handle inside TF 1 control flow")


def _takes_ref(node: Node, position: int) -> bool:
    return node.spec is None or node.spec.input_dtypes(node.attrs)[position].is_ref


def _follow_call(graph: Graph, node: Node, position: int, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    offset = 0 if node.op in LOOPS or node.op in CALLS else 1
    for func in functions_of(node):
        visit = (func.name, position - offset, key)
        if visit in uses.seen:
            continue
        uses.seen.add(visit)
        body = library.graph(func.name)
        arg = body.args[position - offset].out()
        if node.op in LOOPS:
            outputs = list(body.outputs.values())
            is_cond = func == node.attrs["cond"]
            if not is_cond and outputs[position] != arg:
                uses.blocked.setdefault(key, f"loop {node.name!r} replaces its handle")
            _follow_inner(body, arg, key, library, uses)
        else:
            _follow(body, arg, key, library, uses)
    if node.op in LOOPS:
        _follow(graph, Value(node, position), key, library, uses)


def _follow_inner(body: Graph, arg: Value, key: str, library: FunctionLibrary, uses: _Uses) -> None:
    for reader in arg.node.readers:
        for position, read in enumerate(reader.inputs):
            if read == arg:
                _follow_reader(body, reader, position, key, library, uses)
