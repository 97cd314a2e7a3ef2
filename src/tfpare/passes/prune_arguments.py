"""Arguments of loops and branches that their bodies do not use → gone; constants → into the bodies."""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import FunctionLibrary, Model
from tfpare.ir.types import Attr, DType
from tfpare.passes.base import PassOptions, PassResult, register

_LOOPS = frozenset({"While", "StatelessWhile"})
_BRANCHES = {"If": "Tin", "StatelessIf": "Tin", "Case": "Tin", "StatelessCase": "Tin"}


@register(after=("freeze_variables",))
def push_constants(model: Model, options: PassOptions) -> PassResult:
    """While(x, c){… c …} = While(x){… c inside …}, likewise If and Case; arguments that nobody uses are dropped.

    A loop's argument counts as constant when the body returns it unchanged.

    Declines when: the argument changes in the loop, or the constant comes from a value that callers feed.
    Source: Grappler's function specialisation (push down constant inputs, drop unused outputs).
    """
    result = PassResult()
    for graph in model.graphs:
        _visit(graph, model.library, result)
    return result


def _visit(graph: Graph, library: FunctionLibrary, result: PassResult) -> None:
    for node in list(graph):
        if node in graph.pinned:
            continue
        if node.op in _LOOPS:
            result.applied += _push_loop(graph, node, library)
            result.applied += _prune_loop(graph, node, library)
        elif node.op in _BRANCHES:
            result.applied += _push_branches(graph, node, library)
            result.applied += _prune_branches(graph, node, library)
        else:
            continue
        for func in functions_of(node):
            _visit(library.graph(func.name), library, result)


def _push_loop(graph: Graph, node: Node, library: FunctionLibrary) -> int:
    bodies = [library.graph(f.name) for f in functions_of(node)]
    loop_body = _function(node, "body", library)
    results = list(loop_body.outputs.values())
    pushed = 0
    for position, value in enumerate(node.inputs):
        if not _can_move(graph, value) or results[position] != loop_body.args[position].out():
            continue
        for body in bodies:
            pushed += _substitute(body, position, value)
        for key, output in list(loop_body.outputs.items()):
            if list(loop_body.outputs).index(key) == position:
                loop_body.outputs[key] = loop_body.args[position].out()
                del output
        graph.replace_value(Value(node, position), value)
    return pushed


def _push_branches(graph: Graph, node: Node, library: FunctionLibrary) -> int:
    pushed = 0
    for position, value in enumerate(node.inputs[1:]):
        if _can_move(graph, value):
            for func in functions_of(node):
                pushed += _substitute(library.graph(func.name), position, value)
    return pushed


def _can_move(graph: Graph, value: Value) -> bool:
    """A constant that waits for something is what lets it run: it stays where it is."""
    return value.constant is not None and value not in graph.fed and not value.node.controls


def _substitute(body: Graph, position: int, value: Value) -> int:
    """Lets the body read a copy of the constant instead of its argument."""
    arg = body.args[position]
    if not arg.readers and arg not in body.output_nodes():
        return 0
    array = value.constant
    assert array is not None
    kept = {k: v for k, v in body.outputs.items() if v == arg.out()}
    if not arg.readers and len(kept) == 1:
        return 0
    const = body.const(array, name=f"{arg.name}/const", type_=value.dtype, made_by="push_constants")
    body.replace_value(arg.out(), const)
    body.replace_control(arg, [const.node])
    return 1


def _prune_loop(graph: Graph, node: Node, library: FunctionLibrary) -> int:
    body, cond = _function(node, "body", library), _function(node, "cond", library)
    results = list(body.outputs.values())
    outputs_read = {v.index for r in node.readers for v in r.inputs if v.node is node}
    outputs_read |= {v.index for v in graph.outputs.values() if v.node is node}
    drop = [
        k
        for k in range(len(node.inputs))
        if k not in outputs_read
        and not cond.args[k].readers
        and _only_passes_through(body, k, results[k])
        and Value(node, k) not in graph.fed
    ]
    if not drop or len(drop) == len(node.inputs):
        return 0
    _drop_args(cond, drop)
    keys = list(body.outputs)
    for k in drop:
        del body.outputs[keys[k]]
    _drop_args(body, drop)
    keep = [k for k in range(len(node.inputs)) if k not in drop]
    _rebuild(graph, node, [node.inputs[k] for k in keep], keep, ("T",))
    return len(drop)


def _only_passes_through(body: Graph, position: int, result: Value) -> bool:
    arg = body.args[position]
    others = [v for k, v in enumerate(body.outputs.values()) if k != position]
    if arg.readers or arg.out() in others:
        return False
    return result == arg.out() or result.node.op == "Const"


def _prune_branches(graph: Graph, node: Node, library: FunctionLibrary) -> int:
    bodies = [library.graph(f.name) for f in functions_of(node)]
    drop = [k for k in range(len(node.inputs) - 1) if all(_is_unused(b, k) for b in bodies)]
    if not drop:
        return 0
    for body in bodies:
        _drop_args(body, drop)
    inputs = [node.inputs[0], *(v for k, v in enumerate(node.inputs[1:]) if k not in drop)]
    _rebuild(graph, node, inputs, list(range(len(node.dtypes))), ())
    return len(drop)


def _is_unused(body: Graph, position: int) -> bool:
    arg = body.args[position]
    return not arg.readers and arg not in body.output_nodes()


def _drop_args(body: Graph, drop: list[int]) -> None:
    gone = [body.args[k] for k in drop]
    body.args = [a for k, a in enumerate(body.args) if k not in drop]
    for arg in gone:
        body.remove(arg)
    for index, arg in enumerate(body.args):
        arg.attrs["index"] = index


def _rebuild(graph: Graph, node: Node, inputs: list[Value], keep: list[int], type_attrs: tuple[str, ...]) -> None:
    """A node like `node` with fewer inputs and outputs in its place."""
    attrs: dict[str, Attr] = dict(node.attrs)
    data = inputs if node.op in _LOOPS else inputs[1:]
    types: tuple[DType, ...] = tuple(v.dtype.base for v in data)
    attrs["T" if node.op in _LOOPS else _BRANCHES[node.op]] = types
    shapes = attrs.get("output_shapes")
    if type_attrs and isinstance(shapes, tuple) and len(shapes) == len(node.dtypes):
        attrs["output_shapes"] = tuple(shapes[k] for k in keep)
    new = graph.add(
        node.op,
        inputs,
        attrs,
        name=node.name,
        controls=node.controls,
        dtypes=tuple(node.dtypes[k] for k in keep),
        shapes=tuple(node.shapes[k] for k in keep),
        device=node.device,
        made_by=node.made_by,
    )
    for position, old in enumerate(keep):
        graph.replace_value(Value(node, old), Value(new, position))
    graph.replace_control(node, [new])
    if node in graph.keep:
        del graph.keep[node]
        graph.keep[new] = None
    name = node.name
    graph.remove(node)
    graph.rename(new, name)


def _function(node: Node, attr: str, library: FunctionLibrary) -> Graph:
    func = node.attrs[attr]
    return library.graph(func.name)  # type: ignore[union-attr]
