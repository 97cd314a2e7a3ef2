"""Traps: changes to a graph that make careless rewrites wrong. Each takes a graph that a rule fires on, changes it in
place and returns it, or None where the trap has no place in that graph. Whatever the rule then does, the answers must
stay the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import UNKNOWN

TRAPS: dict[str, Callable[[Graph, Node], bool]] = {}


def trap(function: Callable[[Graph, Node], bool]) -> Callable[[Graph, Node], bool]:
    TRAPS[function.__name__] = function
    return function


def _inner(graph: Graph, node: Node) -> bool:
    return bool(node.readers) and not node.op.startswith("Placeholder") and bool(node.dtypes)


@trap
def second_reader(graph: Graph, node: Node) -> bool:
    """Another node reads an inner value."""
    if not _inner(graph, node) or node.dtypes[0].numpy is None:
        return False
    extra = graph.add("Identity", [node.out()], {"T": node.dtypes[0].base}, name="trap_reader")
    graph.outputs["trap_reader:0"] = extra.out()
    return True


@trap
def fetched_interior(graph: Graph, node: Node) -> bool:
    """The caller fetches an inner value."""
    if not _inner(graph, node) or node.dtypes[0].numpy is None:
        return False
    graph.outputs[f"{node.name}:0"] = node.out()
    return True


@trap
def control_edge_from(graph: Graph, node: Node) -> bool:
    """Another output waits for an inner node."""
    if not _inner(graph, node):
        return False
    value = graph.const(np.float32(3), name="trap_value")
    late = graph.add("Identity", [value], {"T": value.dtype}, name="trap_late", controls=[node])
    graph.outputs["trap_late:0"] = late.out()
    return True


@trap
def control_edge_to(graph: Graph, node: Node) -> bool:
    """An inner node waits for another."""
    if not _inner(graph, node):
        return False
    value = graph.const(np.float32(3), name="trap_value")
    graph.set_controls(node, [*node.controls, value.node])
    return True


@trap
def fed_interior(graph: Graph, node: Node) -> bool:
    """The caller may replace an inner value (here it does not)."""
    if not _inner(graph, node):
        return False
    graph.fed.add(node.out())
    return True


@trap
def nan_and_inf_in_constant(graph: Graph, node: Node) -> bool:
    """A float constant holds NaN and infinity."""
    array = node.out().constant if node.op == "Const" else None
    if array is None or array.dtype.kind != "f" or not array.size:
        return False
    changed = array.copy().reshape(-1)
    changed[0] = np.nan
    changed[-1] = np.inf if array.size > 1 else np.nan
    node.attrs["value"] = changed.reshape(array.shape)
    return True


@trap
def denormal_constant(graph: Graph, node: Node) -> bool:
    """A float constant holds a denormal and a negative zero."""
    array = node.out().constant if node.op == "Const" else None
    if array is None or array.dtype != np.float32 or array.size < 2:
        return False
    changed = array.copy().reshape(-1)
    changed[0], changed[-1] = 1e-40, -0.0
    node.attrs["value"] = changed.reshape(array.shape)
    return True


@trap
def unknown_batch_and_rank(graph: Graph, node: Node) -> bool:
    """Nothing is known of an input's shape, nor of what follows from it."""
    if node.op != "Placeholder":
        return False
    for one in graph:
        if one.op != "Const":
            one.shapes = (UNKNOWN,) * len(one.dtypes)
    return True


@trap
def two_readers_share_constant(graph: Graph, node: Node) -> bool:
    """The constants of the match are read by a second, equal computation."""
    if node.op != "Const" or not node.readers:
        return False
    reader = next(iter(node.readers))
    if not reader.dtypes or reader.dtypes[0].numpy is None:
        return False
    twin = graph.add(
        reader.op, reader.inputs, reader.attrs, name="trap_twin", dtypes=reader.dtypes, shapes=reader.shapes
    )
    graph.outputs["trap_twin:0"] = twin.out()
    return True


@trap
def other_output_fetched(graph: Graph, node: Node) -> bool:
    """A second output of a node is fetched."""
    if len(node.dtypes) < 2 or node.op in ("Switch", "Merge"):
        return False
    graph.outputs[f"{node.name}:1"] = Value(node, 1)
    return True
