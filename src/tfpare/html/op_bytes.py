"""Which ops read how many bytes of weights."""

from __future__ import annotations

from collections import Counter

from tfpare.recording import GraphRecord, NodeRecord, split_reference

_PASSED_THROUGH = frozenset({"Identity", "ReadVariableOp", "Enter", "Reshape", "Cast", "Transpose", "ExpandDims"})
_FURTHEST = 6  # edges between a weight and the op that uses it


def bytes_by_op(graphs: list[GraphRecord]) -> Counter[str]:
    """Bytes of constants and variables by the op that reads them, through ops that only pass them on.

    A weight with several readers counts for the first one alone, so that the sum is that of the weights.
    """
    total = Counter[str]()
    for graph in graphs:
        readers = _readers(graph)
        for node in graph.nodes:
            if node.weight_bytes:
                total[_user(node, readers)] += node.weight_bytes
    return total


def _readers(graph: GraphRecord) -> dict[str, NodeRecord]:
    """The first reader of each node."""
    found: dict[str, NodeRecord] = {}
    for node in graph.nodes:
        for reference in node.inputs:
            name, port = split_reference(reference)
            if port >= 0:
                found.setdefault(name, node)
    return found


def _user(node: NodeRecord, readers: dict[str, NodeRecord]) -> str:
    for _ in range(_FURTHEST):
        reader = readers.get(node.name)
        if reader is None:
            return "unread" if node.weight_bytes else node.op
        if reader.op not in _PASSED_THROUGH:
            return reader.op
        node = reader
    return node.op
