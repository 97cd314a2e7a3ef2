"""Outputs under the names that callers know: a rewrite may compute them in a node of another name."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.io import graphdef
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Attr


def name_outputs(graph: Graph) -> None:
    """Gives every output of a main graph the tensor name that is its key, with an Identity where renaming cannot."""
    ports: dict[str, dict[int, Value]] = {}
    for tensor, value in graph.outputs.items():
        name, port = graphdef.flat_port(tensor)
        ports.setdefault(name, {})[port] = value
    named = {n: _has_name(n, p) for n, p in ports.items()}
    bound = {v.node for v in graph.fed} | graph.pinned | {graph.nodes[n] for n, done in named.items() if done}
    for name, values in ports.items():
        if not named[name]:
            bound.add(_give_name(graph, name, values, bound))
    for tensor in graph.outputs:
        name, port = graphdef.flat_port(tensor)
        graph.outputs[tensor] = Value(graph.nodes[name], port)


def _has_name(name: str, values: Mapping[int, Value]) -> bool:
    return all(v.node.name == name and v.index == port for port, v in values.items())


def _give_name(graph: Graph, name: str, values: Mapping[int, Value], bound: set[Node]) -> Node:
    holder = graph.nodes.get(name)
    if holder is not None:
        graph.rename(holder, graph.fresh_name(f"{name}/inner"))
    node = next(iter(values.values())).node
    if node in bound or any(v != Value(node, port) for port, v in values.items()):
        return _identity(graph, name, values)
    graph.rename(node, name)
    return node


def _identity(graph: Graph, name: str, values: Mapping[int, Value]) -> Node:
    """One node for all outputs of that name; ports that nobody asked for hold a copy of one that is."""
    some = next(iter(values.values()))
    inputs = [values.get(port, some) for port in range(max(values) + 1)]
    shapes = tuple(v.shape for v in inputs)
    if len(inputs) == 1:
        return graph.add("Identity", inputs, {"T": some.dtype.base}, name=name, shapes=shapes)
    types: tuple[Attr, ...] = tuple(v.dtype.base for v in inputs)
    return graph.add("IdentityN", inputs, {"T": types}, name=name, shapes=shapes)
