"""A graph of the IR as a GraphDef that a Session can run, its arguments fed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.io.write_v1 import serialize, write_library
from tfpare.ir.graph import Graph, functions_of
from tfpare.ir.model import Model


def write_runnable(model: Model, graph: Graph, path: Path) -> None:
    """Writes one of a model's graphs with its functions; a parameter becomes a Placeholder of its name.

    Raises:
        UnsupportedModel: it is larger than the 2 GB that a file can hold.
    """
    graph_def = _main_graph(graph)
    write_library(model, graph_def, [name for n in graph for name in (n.op, *(f.name for f in functions_of(n)))])
    path.write_bytes(serialize(graph_def))


def write_graph(graph: Graph, path: Path) -> None:
    """Writes a graph that calls no functions."""
    path.write_bytes(serialize(_main_graph(graph)))


def _main_graph(graph: Graph) -> Any:
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = graph.producer
    for node in graph.topological():
        written = graph_def.node.add()
        if node.op == "_Arg":
            written.name, written.op = node.name, "Placeholder"
            attr_io.encode(node.dtypes[0].base, written.attr["dtype"])
            attr_io.encode(node.out().shape, written.attr["shape"])
        else:
            graphdef.write_node(node, str, written)
    return graph_def
