"""Function calls → the bodies of the functions."""

from __future__ import annotations

from collections.abc import Iterable

from tfpare.errors import UnsupportedModel
from tfpare.ir.copying import clone, copy_nodes
from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, FunctionLibrary, Model
from tfpare.ir.ops import CALLS, CONTROL_FLOW_V1
from tfpare.ir.types import Attr, Func
from tfpare.passes.base import PassOptions, PassResult, register

_MAX_DEPTH = 100  # nested calls; far above what people write, low enough to stop a recursion early


@register()
def inline_functions(model: Model, options: PassOptions) -> PassResult:
    """PartitionedCall(f)(x) = body of f with x for its arguments; also StatefulPartitionedCall and calls by name.

    Bodies of loops and branches stay functions; calls inside them are inlined too.

    Declines when: the function is recursive (an error: TensorFlow cannot run it either).
    Source: Grappler's function optimizer; the Graph Transform Tool's inline_partitionedcall.
    """
    result = PassResult()
    done: set[str] = set()
    for graph in model.graphs:
        _inline_graph(graph, model.library, result, done, ())
    claimed: set[str] = set()
    for graph in model.graphs:
        _claim_bodies(graph, model.library, claimed)
    return result


def _claim_bodies(graph: Graph, library: FunctionLibrary, claimed: set[str]) -> None:
    """Gives every loop and branch its own copy of its bodies, so that each can be specialised."""
    for node in list(graph):
        if node.op not in REWRITTEN_CALLERS or node in graph.pinned:
            continue
        for key, value in node.attrs.items():
            if isinstance(value, Func):
                node.attrs[key] = _claim(value, library, claimed)
            elif isinstance(value, tuple) and value and isinstance(value[0], Func):
                node.attrs[key] = tuple(_claim(f, library, claimed) for f in value if isinstance(f, Func))
        for func in functions_of(node):
            if func.name in library:
                _claim_bodies(library.graph(func.name), library, claimed)


def _claim(func: Func, library: FunctionLibrary, claimed: set[str]) -> Func:
    name = func.name
    if name in claimed and name in library:
        name = library.fresh_name(f"{name}_copy")
        library.graphs[name] = clone(library.graph(func.name), name)
    claimed.add(name)
    return Func(name, func.attrs)


def _inline_graph(
    graph: Graph, library: FunctionLibrary, result: PassResult, done: set[str], path: tuple[str, ...]
) -> None:
    if graph.name in path or len(path) > _MAX_DEPTH:
        raise UnsupportedModel(f"Function {graph.name!r} calls itself ({' → '.join((*path, graph.name))}).")
    if graph.name in done:
        return
    for node in list(graph):
        callee = call_target(node, library)
        if callee is not None and node not in graph.pinned:
            _inline_graph(library.graph(callee), library, result, done, (*path, graph.name))
            inline_call(graph, node, library.graph(callee))
            result.applied += 1
    for node in list(graph):
        for func in functions_of(node):
            if func.name in library and node not in graph.pinned:
                _inline_graph(library.graph(func.name), library, result, done, (*path, graph.name))
    done.add(graph.name)


def call_target(node: Node, library: FunctionLibrary) -> str | None:
    """The name of the function that a node calls unconditionally, None for any other node."""
    if node.op in CALLS:
        func = node.attrs.get("f")
        return func.name if isinstance(func, Func) and func.name in library else None
    return node.op if node.op in library else None


def inline_call(graph: Graph, call: Node, body: Graph) -> None:
    """Replaces a call by a copy of the function's body.

    The call's control inputs go to the copies that have an effect or read no other copy, and to an Identity of what the
    body only passes on; whoever waited for the call waits for the body's control outputs, or (there being none) for
    what the call waited for.
    """
    bindings = {a.out(): v for a, v in zip(body.args, call.inputs, strict=True)}
    copies, values = copy_nodes(body, graph, bindings, lambda node: f"{call.name}/{node.name}")
    made = set(copies.values())
    for copy in copies.values() if call.controls else ():
        if copy.is_effectful or not any(v.node in made for v in copy.inputs):
            graph.set_controls(copy, (*copy.controls, *call.controls))
    for copy in copies.values():
        copy.device = copy.device or call.device
    ends = [copies[n] for n in body.keep if n in copies]
    if ends and not graph.keep and not graph.args:
        _wait(graph, call, ends)
    for port, value in enumerate(body.outputs.values()):
        found = values[value]
        if call.controls and found.node not in made:
            found = _copy_after(graph, found, f"{call.name}/out", call.controls)
        graph.replace_value(Value(call, port), found)
    if call in graph.keep:
        graph.keep.update(dict.fromkeys(ends))
    graph.replace_control(call, ends or _liveness(graph, call))
    graph.remove(call)


def _wait(graph: Graph, call: Node, ends: list[Node]) -> None:
    """In a Session whoever fetches any output of a call runs all effects of the function."""
    for port in range(len(call.dtypes)):
        value = Value(call, port)
        if value in graph.outputs.values() or any(value in r.inputs for r in call.readers):
            waiting = _copy_after(graph, value, f"{call.name}/out", ())
            graph.replace_value(value, waiting)
            graph.set_controls(waiting.node, ends)


def _copy_after(graph: Graph, value: Value, name: str, controls: Iterable[Node]) -> Value:
    attrs: dict[str, Attr] = {"T": value.dtype.base}
    return graph.add("Identity", [value], attrs, name=name, controls=controls, shapes=(value.shape,)).out()


def _liveness(graph: Graph, call: Node) -> list[Node]:
    waits = list(call.controls)
    if not waits and any(n.op in CONTROL_FLOW_V1 for n in graph):
        waits = [v.node for v in call.inputs][:1]
    return waits
