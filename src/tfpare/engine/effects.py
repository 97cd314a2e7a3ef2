"""Which values are computed with an effect beyond them, which is lost when nobody reads them any more."""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node, Value, functions_of


class Effects:
    """The answers for one graph while it is rewritten; what was there at the start is looked at once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known = set(graph)
        self._behind = self._spread([n for n in graph if self._is_effect(n)])

    def behind(self, value: Value) -> bool:
        """Whether computing `value` does something beyond it; what the graph keeps by itself does not count."""
        seen, stack = set[Node](), [value.node]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self._behind or (node not in self._known and self._is_effect(node)):
                return True
            if node not in self._known:
                stack.extend((*node.controls, *(v.node for v in node.inputs)))
        return False

    def _is_effect(self, node: Node) -> bool:
        if functions_of(node):
            return not node.op.startswith("Stateless")
        return node.is_effectful and node not in self._graph.keep

    @staticmethod
    def _spread(sources: list[Node]) -> set[Node]:
        found, stack = set(sources), list(sources)
        while stack:
            for reader in stack.pop().readers:
                if reader not in found:
                    found.add(reader)
                    stack.append(reader)
        return found
