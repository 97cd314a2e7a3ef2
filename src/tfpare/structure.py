"""How the nodes of a graph hang together, from their names alone: order, unread nodes, inputs that do not exist."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence

from tfpare.io.inspect import NodeFacts

_NO_ANSWER = frozenset(("Const", "Assign", "NoOp", "Placeholder"))


def execution_order(nodes: Sequence[NodeFacts]) -> list[NodeFacts]:
    """Inputs before their readers; a loop is cut where Merge reads NextIteration. Other circles come last."""
    by_name = {n.name: n for n in nodes}
    reads = {n.name: [i for i in _sources(n) if i in by_name and not _is_back_edge(by_name[i], n)] for n in nodes}
    ordered = inputs_first(reads)
    shown = [by_name[name] for name in ordered]
    return [*shown, *(n for n in nodes if n.name not in ordered or n is not by_name[n.name])]


def _is_back_edge(source: NodeFacts, reader: NodeFacts) -> bool:
    return reader.op in ("Merge", "RefMerge") and source.op.endswith("NextIteration")


def unread(nodes: Iterable[NodeFacts]) -> list[NodeFacts]:
    """Nodes that no node reads and that may hold an answer."""
    nodes = list(nodes)
    read = {name for n in nodes for name in _sources(n)}
    return [n for n in nodes if n.name not in read and n.op not in _NO_ANSWER]


def invalid_inputs(nodes: Iterable[NodeFacts], arguments: Container[str] = ()) -> list[tuple[NodeFacts, str]]:
    """Inputs that name neither a node nor an argument of the function, each with the node that has it."""
    nodes = list(nodes)
    known = {n.name for n in nodes}
    refs = ((n, ref, _source(ref)) for n in nodes for ref in n.inputs)
    return [(n, ref) for n, ref, source in refs if source not in known and source not in arguments]


def _sources(node: NodeFacts) -> Iterable[str]:
    return map(_source, node.inputs)


def _source(ref: str) -> str:
    return ref.removeprefix("^").partition(":")[0]


def inputs_first(reads: Mapping[str, Iterable[str]]) -> dict[str, None]:
    """Names so that each comes after what it reads; those in circles, and what reads them, are missing."""
    readers: dict[str, list[str]] = {name: [] for name in reads}
    missing: dict[str, int] = {}
    for name, read in reads.items():
        unique = set(read)
        missing[name] = len(unique)
        for one in unique:
            readers[one].append(name)
    ready = deque(name for name, count in missing.items() if not count)
    ordered: dict[str, None] = {}
    while ready:
        name = ready.popleft()
        ordered[name] = None
        for reader in readers[name]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    return ordered
