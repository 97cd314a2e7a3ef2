"""Graphs for the page: texts are stored once and referred to by number, which keeps 5,000 nodes small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfpare.engine.driver import Commit
from tfpare.recording import GraphRecord, ModelRecord, NodeRecord, split_reference

MOST_NODES = 60_000
"""Of all graphs together; a browser gets slow with more, and nobody reads them."""

_SAME, _CHANGED, _ONLY_HERE = 0, 1, 2
_STORED = frozenset({"Const", "VarHandleOp", "VariableV2", "Variable", "ReadVariableOp", "HashTableV2", "NoOp"})


class _Table:
    """Texts by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number


def graph_data(records: Iterable[ModelRecord]) -> dict[str, Any]:
    """What the graph view needs: `texts`, and `pairs` of graphs before and after with what happened between them.

    A node is `[name, op, [inputs], [outputs], [key, value, …], made by, status, varies]`; an input is `[node, port]`,
    port −1 for a control edge. Status 0: same in both, 1: changed, 2: only on this side. `varies` is 1 where the node
    depends on an input of the model.
    """
    texts, pairs = _Table(), list[dict[str, Any]]()
    for record in records:
        before = {g.name: g for g in record.before}
        after = {g.name: g for g in record.after}
        for name in dict.fromkeys((*after, *before)):
            pairs.append(_pair(name, before.get(name), after.get(name), record, texts))
    kept, total = list[dict[str, Any]](), 0
    for pair in pairs:
        total += len(pair["before"]) + len(pair["after"])
        if total <= MOST_NODES:
            kept.append(pair)
    return {"texts": texts.texts, "pairs": kept, "left_out": len(pairs) - len(kept)}


def _pair(
    name: str, before: GraphRecord | None, after: GraphRecord | None, record: ModelRecord, texts: _Table
) -> dict[str, Any]:
    sides = _shown(before), _shown(after)
    label = (after or before or GraphRecord(name, name)).label
    tags = f" (tags {', '.join(record.tags)})" if record.tags and record.tags != ("serve",) else ""
    return {
        "label": label + tags,
        "before": _side(sides[0], sides[1], texts),
        "after": _side(sides[1], sides[0], texts),
        "commits": [_commit(c, texts) for c in record.commits if c.graph == name],
        "removed": [[texts(n), texts(step)] for n, step in record.removed.get(name, {}).items()],
    }


def _shown(graph: GraphRecord | None) -> list[NodeRecord]:
    """All nodes but handles that nobody reads, of which a function has one for every variable of its model."""
    nodes = graph.nodes if graph else []
    read = {split_reference(i)[0] for n in nodes for i in n.inputs}
    return [n for n in nodes if n.name in read or not _is_handle(n)]


def _commit(commit: Commit, texts: _Table) -> list[Any]:
    return [texts(commit.rule), [texts(n) for n in commit.made], [texts(n) for n in commit.removed]]


def _side(nodes: list[NodeRecord], others: list[NodeRecord], texts: _Table) -> list[list[Any]]:
    position = {n.name: k for k, n in enumerate(nodes)}
    counterparts = {n.name: n for n in others}
    varying = _varying(nodes)
    return [
        [
            texts(node.name),
            texts(node.op),
            [_edge(i, position) for i in node.inputs if split_reference(i)[0] in position],
            [texts(t) for t in node.outputs],
            [texts(t) for item in node.attrs.items() for t in item],
            texts(node.made_by),
            _status(node, counterparts.get(node.name)),
            int(node.name in varying),
        ]
        for node in nodes
    ]


def _edge(reference: str, position: dict[str, int]) -> list[int]:
    name, port = split_reference(reference)
    return [position[name], port]


def _status(node: NodeRecord, other: NodeRecord | None) -> int:
    if other is None:
        return _ONLY_HERE
    same = (node.op, node.inputs, node.attrs, node.made_by) == (other.op, other.inputs, other.attrs, other.made_by)
    return _SAME if same else _CHANGED


def _varying(nodes: list[NodeRecord]) -> set[str]:
    """Nodes that depend on what callers feed; the others are weights, constants and what is computed from them."""
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for reference in node.inputs:
            name, port = split_reference(reference)
            if port >= 0:
                readers.setdefault(name, []).append(node.name)
    stack = [n.name for n in nodes if _is_fed(n)]
    seen = set(stack)
    while stack:
        for reader in readers.get(stack.pop(), ()):
            if reader not in seen:
                seen.add(reader)
                stack.append(reader)
    return seen


def _is_fed(node: NodeRecord) -> bool:
    """Whether a value of the outside enters here: no inputs, nothing stored, no handle of a variable or table."""
    return not _is_handle(node) and node.op not in _STORED and not any(split_reference(i)[1] >= 0 for i in node.inputs)


def _is_handle(node: NodeRecord) -> bool:
    return any(t.startswith("resource") for t in node.outputs)
