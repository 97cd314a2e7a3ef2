"""Where nodes live in graphs with TF 1 control flow: in which loop frame, and in a branch that may not be taken.

A node without inputs lives in the root frame and always runs. Read inside a loop, the graph would be invalid; in place
of a branch's result, it would be taken whatever the condition. A control edge from a value that lives there ties it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import CONTROL_FLOW_V1

_ENTER, _EXIT = ("Enter", "RefEnter"), ("Exit", "RefExit")
_SWITCH, _MERGE = ("Switch", "RefSwitch"), ("Merge", "RefMerge")


class Placement:
    """Depth of loops and branches around each node of a graph; all zero without TF 1 control flow."""

    def __init__(self, graph: Graph) -> None:
        self.active = any(n.op in CONTROL_FLOW_V1 for n in graph)
        self._loops: dict[Node, int] = {}
        self._branches: dict[Node, int] = {}
        for node in graph.topological() if self.active else ():
            self._place(node)

    def _place(self, node: Node) -> None:
        sources = [v.node for v in node.inputs] + list(node.controls)
        loops = max((self._loops.get(s, 0) for s in sources), default=0)
        branches = max((self._branches.get(s, 0) for s in sources), default=0)
        if node.op in _ENTER:
            loops += 1
        elif node.op in _EXIT:
            loops -= 1
        elif node.op in _SWITCH and node.inputs[1].node.op != "LoopCond":
            branches += 1
        elif node.op in _MERGE and not any(v.node.op.endswith("NextIteration") for v in node.inputs):
            branches -= 1
        self._loops[node], self._branches[node] = max(loops, 0), max(branches, 0)

    def in_loop(self, node: Node) -> bool:
        """Whether the node runs in a frame of its own."""
        return self._loops.get(node, 0) > 0

    def in_branch(self, node: Node) -> bool:
        """Whether the node lies behind a Switch that is not a loop's."""
        return self._branches.get(node, 0) > 0

    def is_conditional(self, node: Node) -> bool:
        """Whether the node may not run at all, or runs in a loop."""
        return self.in_loop(node) or self._branches.get(node, 0) > 0

    def adopt(self, nodes: Iterable[Node], like: Node) -> None:
        """New nodes that live where `like` does."""
        if self.active:
            for node in nodes:
                self._loops[node], self._branches[node] = self._loops.get(like, 0), self._branches.get(like, 0)


def control_anchor(graph: Graph, value: Value, name: str) -> Node:
    """A node that runs exactly when `value` comes alive, for control edges.

    A control edge from a Switch runs in both branches, from an Identity of its output in this one alone.
    """
    if value.node.op not in ("Switch", "RefSwitch"):
        return value.node
    return graph.add("Identity", [value], {"T": value.dtype.base}, name=name, made_by="engine")
