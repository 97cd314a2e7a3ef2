"""Two graphs, or two function bodies."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.diffing.nodes import Names, diff_nodes
from tfpare.diffing.renames import Nodes, match_renamed
from tfpare.diffing.types import GraphDiff, NodeEntry, Renaming


def diff_graphs(a: Nodes, b: Nodes, functions: Mapping[str, str], internal: bool) -> GraphDiff:
    """What differs, whatever the order of the nodes.

    Args:
        a: the nodes of A.
        b: the nodes of B.
        functions: functions of A that have other names in B.
        internal: whether internal attributes count.
    """
    renamed = match_renamed(a, b, functions, internal)
    names, taken, found = Names(renamed, functions), set(renamed.values()), GraphDiff()
    found.renamed = [Renaming(old, new, b[new].op) for old, new in renamed.items()]
    found.only_in_a = [NodeEntry(n, x.op) for n, x in a.items() if n not in b and n not in renamed]
    found.only_in_b = [NodeEntry(n, x.op) for n, x in b.items() if n not in a and n not in taken]
    for name, node in a.items():
        if name not in b:
            continue
        change, is_internal = diff_nodes(node, b[name], names, internal)
        found.internal += is_internal
        if change is not None:
            found.changed.append(change)
    return found
