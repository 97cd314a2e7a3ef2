"""Branches that can never run → gone."""

from __future__ import annotations

import numpy as np

from tfpare.engine.placement import control_anchor
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import FunctionLibrary, Model
from tfpare.ir.types import Attr, Func
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.passes.inline_functions import inline_call


@register(after=("freeze_variables",))
def prune_branches(model: Model, options: PassOptions) -> PassResult:
    """Switch(x, true) = (dead, x); Merge(x, dead) = x; If(true) = its then-branch; Case(k) = branch k.

    A constant that waits for nothing is always there: a Merge with it takes it.

    Declines when: the predicate is not constant, or a caller feeds it.
    Source: Grappler's loop optimizer (dead branches) and constant folding (Case, Merge).
    """
    result = PassResult()
    for graph in model.all_graphs():
        _functional(graph, model.library, result)
        _switches(graph, result)
        graph.sweep()
    return result


def _functional(graph: Graph, library: FunctionLibrary, result: PassResult) -> None:
    for node in list(graph):
        if node.op not in ("If", "StatelessIf", "Case", "StatelessCase") or node in graph.pinned:
            continue
        value = node.inputs[0]
        if value.constant is None or value in graph.fed:
            result.decline("the predicate is not constant", node.name)
            continue
        func = _taken(node, value)
        graph.set_inputs(node, node.inputs[1:])
        inline_call(graph, node, library.graph(func.name))
        result.applied += 1


def _taken(node: Node, value: Value) -> Func:
    array = value.constant
    assert array is not None
    if node.op in ("If", "StatelessIf"):
        truth = bool(array.size and np.asarray(array).reshape(-1)[0]) if array.shape == () else bool(array.size)
        branch = node.attrs["then_branch" if truth else "else_branch"]
    else:
        branches = node.attrs["branches"]
        assert isinstance(branches, tuple)
        index = int(array)
        branch = branches[index if 0 <= index < len(branches) else len(branches) - 1]
    assert isinstance(branch, Func)
    return branch


def _switches(graph: Graph, result: PassResult) -> None:
    """Marks values that never come alive, then lets live Merges forward their only live input."""
    dead: set[Value] = set()
    dead_nodes: set[Node] = set()
    live_ports: list[tuple[Value, Value]] = []
    for node in graph.topological():
        if node.op == "Switch" and node.inputs[1].constant is not None and node.inputs[1] not in graph.fed:
            taken = int(bool(node.inputs[1].constant))
            dead.add(Value(node, 1 - taken))
            live_ports.append((Value(node, taken), node.inputs[0]))
            result.applied += 1
        elif node.op == "Switch" and not _is_loop_switch(node):
            result.decline("the predicate is not constant", node.name)
        if _is_dead(node, dead, dead_nodes):
            dead_nodes.add(node)
            dead.update(Value(node, k) for k in range(len(node.dtypes)))
    result.applied += _constant_merges(graph)
    if not live_ports:
        return
    for node in [n for n in graph if n.op == "Merge" and n not in dead_nodes]:
        _forward_merge(graph, node, dead)
    for port, source in live_ports:
        if port not in dead:
            _forward_switch(graph, port, source)
    _cut_dead_controls(graph, dead_nodes)


def _is_loop_switch(node: Node) -> bool:
    return node.inputs[1].node.op == "LoopCond"


def _is_dead(node: Node, dead: set[Value], dead_nodes: set[Node]) -> bool:
    if any(c in dead_nodes for c in node.controls):
        return True
    if node.op == "Merge":
        return bool(node.inputs) and all(v in dead for v in node.inputs)
    return any(v in dead for v in node.inputs)


def _forward_merge(graph: Graph, node: Node, dead: set[Value]) -> None:
    live = [(k, v) for k, v in enumerate(node.inputs) if v not in dead]
    if len(live) != 1 or len(node.inputs) < 2:
        return
    _take(graph, node, *live[0])


def _constant_merges(graph: Graph) -> int:
    """Lets Merges take a constant that is there whatever branch is taken."""
    taken = 0
    for node in [n for n in graph if n.op == "Merge" and n not in graph.pinned]:
        fed = any(v.node is node for v in graph.fed)
        always = [(k, v) for k, v in enumerate(node.inputs) if _is_always_there(graph, v)]
        read = any(node in r.controls for r in node.readers) or any(
            Value(node, k) in graph.outputs.values() or any(Value(node, k) in r.inputs for r in node.readers)
            for k in (0, 1)
        )
        if always and read and not fed and not node.controls:
            _take(graph, node, *always[0])
            taken += 1
    return taken


def _is_always_there(graph: Graph, value: Value) -> bool:
    return value.constant is not None and not value.node.controls and value not in graph.fed


def _take(graph: Graph, node: Node, position: int, value: Value) -> None:
    """Replaces a Merge by the one input that it takes."""
    anchor = control_anchor(graph, value, f"{node.name}/pivot")
    index_value = Value(node, 1)
    if index_value in graph.outputs.values() or any(index_value in r.inputs for r in node.readers):
        index = graph.const(np.array(position, np.int32), name=f"{node.name}/index", made_by="prune_branches")
        graph.set_controls(index.node, [anchor])
        graph.replace_value(index_value, index)
    graph.replace_value(Value(node, 0), value)
    graph.replace_control(node, [anchor, *node.controls])


def _forward_switch(graph: Graph, port: Value, source: Value) -> None:
    """Lets the readers of the live side read what goes in, which has to wait for what the Switch waited for."""
    node = port.node
    waits = (*node.controls, *node.inputs[1].node.controls)
    if waits:
        attrs: dict[str, Attr] = {"T": source.dtype.base}
        name, shapes = f"{node.name}/taken", (source.shape,)
        late = graph.add("Identity", (source,), attrs, name=name, controls=waits, shapes=shapes)
        source = late.out()
    graph.replace_value(port, source)
    readers = [r for r in node.readers if node in r.controls]
    for reader in readers:
        anchor = control_anchor(graph, source, f"{node.name}/pivot")
        graph.set_controls(reader, [*(c for c in reader.controls if c is not node), anchor])


def _cut_dead_controls(graph: Graph, dead_nodes: set[Node]) -> None:
    for node in dead_nodes:
        graph.keep.pop(node, None)
