"""Taking a weight out of a graph together with what only served it: savers, initialisers, summaries."""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import dtype

_LISTS = ("ConcatV2", "MergeSummary", "SaveV2")  # ops that can do with an operand less


def needed_nodes(graph: Graph) -> set[Node]:
    """What outputs, fed values and pinned nodes are computed from."""
    found: set[Node] = set()
    stack = [*graph.output_nodes(), *(v.node for v in graph.fed), *graph.pinned]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend((*(v.node for v in node.inputs), *node.controls))
    return found


def remove_weight(graph: Graph, weight: Node) -> bool:
    """Removes a weight, its readers and what only they needed, unless an output needs one of them; says whether it did.

    Concatenations, savers and merged summaries lose an operand instead; nodes that only waited do not wait any more.
    """
    needed, doomed = needed_nodes(graph), _doomed(weight)
    if doomed & needed:
        return False
    for node in list(graph):
        if node not in doomed:
            _leave_out(graph, node, doomed)
    graph.keep.update((n, None) for n in graph if n.op == "RestoreV2")
    for node in doomed:
        graph.keep.pop(node, None)
    graph.sweep()
    return True


def _doomed(weight: Node) -> set[Node]:
    """The weight and all that cannot be computed without it."""
    found, stack = {weight}, [weight]
    while stack:
        for reader in stack.pop().readers:
            gone = [v.node in found for v in _operands(reader)]
            if reader not in found and any(gone) and (reader.op not in _LISTS or all(gone)):
                found.add(reader)
                stack.append(reader)
    return found


def _operands(node: Node) -> tuple[Value, ...]:
    if node.op == "ConcatV2":
        return node.inputs[:-1]
    return node.inputs[3:] if node.op == "SaveV2" else node.inputs


def _leave_out(graph: Graph, node: Node, doomed: set[Node]) -> None:
    if any(c in doomed for c in node.controls):
        graph.set_controls(node, [c for c in node.controls if c not in doomed])
    operands = _operands(node)
    kept = [k for k, v in enumerate(operands) if v.node not in doomed]
    if len(kept) == len(operands):
        return
    rest = [operands[k] for k in kept]
    if node.op == "SaveV2":
        graph.set_inputs(node, [node.inputs[0], *(_picked(graph, v, kept) for v in node.inputs[1:3]), *rest])
        node.attrs["dtypes"] = tuple(v.dtype.base for v in rest)
    elif node.op == "ConcatV2" and len(rest) == 1:
        identity = graph.add("Identity", rest, {"T": rest[0].dtype.base}, name=node.name, device=node.device)
        _substitute(graph, node, identity)
    else:
        graph.set_inputs(node, [*rest, *node.inputs[len(operands) :]])
        node.attrs["N"] = len(rest)


def _picked(graph: Graph, names: Value, kept: list[int]) -> Value:
    """The names, or slices, of the tensors that are still saved."""
    array = names.constant
    assert array is not None
    return graph.const(np.asarray(array)[kept], name=names.node.name, type_=dtype("string"))


def _substitute(graph: Graph, old: Node, new: Node) -> None:
    graph.replace_value(old.out(), new.out())
    graph.replace_control(old, [new])
    if old in graph.keep:
        del graph.keep[old]
        graph.keep[new] = None
    name = old.name
    graph.remove(old)
    graph.rename(new, name)
