"""Nodes in any order → inputs before readers."""

from __future__ import annotations

import heapq
from typing import Any

from tfpare.compat.bodies import Body, bodies
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel
from tfpare.io import graphdef

_MERGES = frozenset({"Merge", "RefMerge", "_XlaMerge"})
_BACK_EDGES = frozenset({"NextIteration", "RefNextIteration"})


@transform(effect=Effect.EXACT)
def sort_by_execution_order(work: Work) -> None:
    """Lists every node after its inputs, otherwise in the order in which they stand.

    Differs: only the Merge of a loop comes before one of its inputs, that of a branch does not; the nodes of functions
    are sorted too.
    Source: the Graph Transform Tool's sort_by_execution_order.
    """
    for body in bodies(work):
        ranks = {name: rank for rank, name in enumerate(execution_order(body))}

        def rank(node: Any, ranks: dict[str, int] = ranks) -> int:
            return ranks[node.name]

        body.nodes.sort(key=rank)


def execution_order(body: Body) -> list[str]:
    """Names of all nodes, inputs before readers; the edges that close TF 1 loops are not counted.

    Raises:
        UnsupportedModel: other nodes form a cycle.
    """
    position = {name: k for k, name in enumerate(body.by_name)}
    missing = {name: _sources(body, name) for name in body.by_name}
    ready = [position[name] for name, sources in missing.items() if not sources]
    names, order = list(body.by_name), list[str]()
    heapq.heapify(ready)
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for reader in body.readers.get(name, ()):
            if name in missing[reader]:
                missing[reader].discard(name)
                if not missing[reader]:
                    heapq.heappush(ready, position[reader])
    if len(order) < len(names):
        stuck = sorted(set(names) - set(order))
        raise UnsupportedModel(f"{len(stuck)} nodes are in a cycle, or read from one, among them {stuck[0]!r}.")
    return order


def _sources(body: Body, name: str) -> set[str]:
    node = body.by_name[name]
    sources = {graphdef.node_name(ref) for ref in node.input} - set(body.arguments)
    if node.op in _MERGES:
        sources -= {s for s in sources if body.by_name[s].op in _BACK_EDGES}
    return sources
