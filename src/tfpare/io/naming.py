"""Outputs under the names that callers know: a rewrite may compute them in a node of another name."""

from __future__ import annotations

from tfpare.io import graphdef
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Attr


def name_outputs(graph: Graph) -> None:
    """Gives every output of a main graph the tensor name that is its key, with an Identity where renaming cannot."""
    bound = {v.node for v in graph.fed} | graph.pinned
    for tensor, value in list(graph.outputs.items()):
        name, port = graphdef.flat_port(tensor)
        if value.node.name == name and value.index == port:
            bound.add(value.node)
    for tensor, value in list(graph.outputs.items()):
        name, port = graphdef.flat_port(tensor)
        if value.node.name == name and value.index == port:
            continue
        _free_name(graph, name)
        if value.node not in bound and value.index == port:
            graph.rename(value.node, name)
            bound.add(value.node)
        else:
            node = _identity(graph, name, port, value)
            graph.outputs[tensor] = Value(node, port)
            bound.add(node)


def _free_name(graph: Graph, name: str) -> None:
    holder = graph.nodes.get(name)
    if holder is not None:
        graph.rename(holder, graph.fresh_name(f"{name}/inner"))


def _identity(graph: Graph, name: str, port: int, value: Value) -> Node:
    if port == 0:
        return graph.add("Identity", [value], {"T": value.dtype.base}, name=name, shapes=(value.shape,))
    types: tuple[Attr, ...] = (value.dtype.base,) * (port + 1)
    return graph.add("IdentityN", [value] * (port + 1), {"T": types}, name=name)
