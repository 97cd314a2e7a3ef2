"""Graphs with loops, branches and functions for the tests of passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.harness import assert_same, parse, run
from tfpare.engine.rule import Effect
from tfpare.io import graphdef
from tfpare.io.functions import Library
from tfpare.io.op_registry import op_spec
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.ir.types import Shape
from tfpare.passes.base import PASSES, PassOptions, PassResult


def built(build: Callable[[Any], Any]) -> Graph:
    """The graph that `build(tf.compat.v1)` makes, with TF 1 control flow; it returns the tensors to fetch."""
    import tensorflow as tf

    tf1, enabled = tf.compat.v1, tf.compat.v1.control_flow_v2_enabled()
    tf1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as source:
            outputs = build(tf1)
    finally:
        if enabled:
            tf1.enable_control_flow_v2()
    graph = Graph("main", op_spec)
    graphdef.add_nodes(graph, source.as_graph_def().node, lambda ref: value_of(graph, ref))
    for tensor in outputs if isinstance(outputs, (list, tuple)) else [outputs]:
        graph.outputs[tensor.name] = value_of(graph, tensor.name)
    for node in graph:
        if node.op == "Placeholder":
            graph.fed.add(node.out())
            node.shapes = tuple(s for s in (node.attrs["shape"],) if isinstance(s, Shape))
    return graph


def value_of(graph: Graph, ref: str):
    name, port = graphdef.flat_port(ref)
    return graph.nodes[name].out(port)


def body(name: str, source: str) -> Graph:
    """A function whose arguments are the inputs of the text."""
    graph = parse(source)
    graph.name = name
    for node in [n for n in graph if n.op == "Placeholder"]:
        node.op, node.spec = "_Arg", op_spec("_Arg")
        node.attrs = {"T": node.dtypes[0], "index": len(graph.args)}
        graph.args.append(node)
    graph.fed.clear()
    return graph


def model_of(graph: Graph, *bodies: Graph) -> Model:
    library = Library([])
    library.graphs.update({b.name: b for b in bodies})
    return Model(Path("."), "graphdef", [graph], library, {}, {})


def apply_pass(name: str, model: Model | Graph, **options: Any) -> PassResult:
    """Runs one pass and checks the invariants."""
    model = model_of(model) if isinstance(model, Graph) else model
    result = PASSES[name].run(model, PassOptions(**options))
    for graph in model.all_graphs():
        graph.check()
    return result


def assert_answers(graph: Graph, original: Graph, *feeds: dict[str, Any], effect: Effect = Effect.EXACT) -> None:
    for feed in feeds:
        arrays = {k: np.asarray(v) for k, v in feed.items()}
        assert_same(run(original, arrays), run(graph, arrays), effect)


def ops(graph: Graph) -> list[str]:
    return sorted(n.op for n in graph)
