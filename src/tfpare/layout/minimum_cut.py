"""Minimum cut of a directed network, by Dinic's algorithm."""

from __future__ import annotations

from collections import deque


class Network:
    """Vertices are numbers, edges have capacities; edge 2k + 1 is the reverse of edge 2k.

    Each phase takes time linear in the network plus the paths that it finds. Where every path holds an edge of
    capacity 1 the number of phases grows with the square root of the network at most, and in practice stays small.
    """

    def __init__(self) -> None:
        self._edges: list[list[int]] = []
        self._heads: list[int] = []
        self._capacities: list[int] = []

    def vertex(self) -> int:
        """A new vertex."""
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, tail: int, head: int, capacity: int) -> None:
        """A new edge."""
        for start, end, room in ((tail, head, capacity), (head, tail, 0)):
            self._edges[start].append(len(self._heads))
            self._heads.append(end)
            self._capacities.append(room)

    def largest_source_side(self, source: int, sink: int) -> set[int]:
        """Of all minimum cuts the one that leaves most vertices with the source."""
        while (levels := self._levels(source))[sink] >= 0:
            self._augment(source, sink, levels)
        return set(range(len(self._edges))) - self._reaches(sink)

    def _levels(self, source: int) -> list[int]:
        """Distance from the source over edges with room, −1 where there is no way."""
        levels = [-1] * len(self._edges)
        levels[source], queue = 0, deque([source])
        while queue:
            vertex = queue.popleft()
            for edge in self._edges[vertex]:
                head = self._heads[edge]
                if levels[head] < 0 and self._capacities[edge] > 0:
                    levels[head] = levels[vertex] + 1
                    queue.append(head)
        return levels

    def _augment(self, source: int, sink: int, levels: list[int]) -> None:
        """Fills shortest paths until none is left; `tried` counts the edges of a vertex that lead nowhere any more."""
        tried = [0] * len(self._edges)
        path: list[int] = []
        vertex = source
        while True:
            if vertex == sink:
                self._push(path)
                path, vertex = [], source
            edge = self._next(vertex, tried, levels)
            if edge is not None:
                path.append(edge)
                vertex = self._heads[edge]
            elif path:
                vertex = self._heads[path.pop() ^ 1]
                tried[vertex] += 1
            else:
                return

    def _next(self, vertex: int, tried: list[int], levels: list[int]) -> int | None:
        edges = self._edges[vertex]
        while tried[vertex] < len(edges):
            edge = edges[tried[vertex]]
            if self._capacities[edge] > 0 and levels[self._heads[edge]] == levels[vertex] + 1:
                return edge
            tried[vertex] += 1
        return None

    def _push(self, path: list[int]) -> None:
        room = min(self._capacities[edge] for edge in path)
        for edge in path:
            self._capacities[edge] -= room
            self._capacities[edge ^ 1] += room

    def _reaches(self, sink: int) -> set[int]:
        """Vertices with a way to the sink over edges with room."""
        found, stack = {sink}, [sink]
        while stack:
            for edge in self._edges[stack.pop()]:
                tail = self._heads[edge]
                if tail not in found and self._capacities[edge ^ 1] > 0:
                    found.add(tail)
                    stack.append(tail)
        return found
