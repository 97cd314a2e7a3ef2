"""Which nodes to convert, so that the fewest Transposes are left.

A value needs a Transpose where some reader wants it in the other layout than it is stored in; all readers that want the
same share one. With the nodes that are converted on the one side and the rest on the other, the number of Transposes is
the capacity of a cut::

    node → after(v) → readers of v      1 where the node is converted and some reader is not
    readers of v → before(v) → node     1 where some reader is converted and the node is not

Ops that must be converted are bound to one side, outputs and ops without a counterpart to the other, all others are
free: a minimum cut is the best choice. Of several the one that converts most is taken, so that what TensorFlow fuses (a
convolution, its bias and activation, its padding) stays together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tfpare.engine.rule import Declined
from tfpare.ir.graph import Graph, Node, Value
from tfpare.layout.conversion import Conversion, Plan, Site, all_plans
from tfpare.layout.direction import Direction
from tfpare.layout.minimum_cut import Network


@dataclass(slots=True)
class Candidates:
    """Nodes of a graph that can be converted, and why others cannot.

    Attributes:
        plans: node → what it becomes.
        reasons: node → why it has no counterpart.
        to_other: Transposes into the other layout: where their input is converted they go.
        from_other: Transposes out of it, which count as converted: where their readers are converted too they go.
    """

    graph: Graph
    direction: Direction
    plans: dict[Node, Conversion] = field(default_factory=dict[Node, Conversion])
    reasons: dict[Node, Declined] = field(default_factory=dict[Node, Declined])
    to_other: set[Node] = field(default_factory=set[Node])
    from_other: set[Node] = field(default_factory=set[Node])

    def __post_init__(self) -> None:
        fixed = {v.node for v in self.graph.fed} | self.graph.pinned
        known = all_plans()
        for node in self.graph:
            if node.op in known:
                self._add(node, known[node.op], fixed)
        for loop in self.loops():
            if any(node not in self.plans for node in loop):
                self._remove(*loop)

    def loops(self) -> Iterator[list[Node]]:
        """Each Merge that begins a loop of TF 1, and the NextIterations that lead back: nothing may come in between."""
        for merge in self.graph:
            back = [v.node for v in merge.inputs if v.node.op == "NextIteration"] if merge.op == "Merge" else []
            if back:
                yield [merge, *back]

    def _remove(self, *nodes: Node) -> None:
        for node in nodes:
            if self.plans.pop(node, None) is not None:
                self.reasons[node] = Declined("the other end of its loop keeps its layout", node)

    def _add(self, node: Node, function: Plan, fixed: set[Node]) -> None:
        try:
            plan = function(Site(node, self.direction, self.graph.fed))
        except Declined as reason:
            self.reasons[node] = reason
            return
        if plan is None:
            return
        if node in fixed or (node.op == "Transpose" and self._has_order(node)):
            self.reasons[node] = Declined("a caller feeds it, or it is ordered by control edges", node)
            return
        self.plans[node] = plan
        if node.op == "Transpose":
            self._add_transpose(node, plan.outputs[0])

    def _has_order(self, node: Node) -> bool:
        """Whether removing the node would need more than moving its readers."""
        return bool(node.controls) or node in self.graph.keep or any(node in r.controls for r in node.readers)

    def _add_transpose(self, node: Node, rank: int) -> None:
        array = node.inputs[1].constant
        order = () if array is None else tuple(int(k) for k in array)
        if order == self.direction.permutation(rank):
            self.to_other.add(node)
            self.plans[node].outputs.clear()
        elif order == self.direction.inverse(rank):
            self.from_other.add(node)

    def is_bound(self, node: Node) -> bool:
        """Whether the node has to be converted."""
        return node in self.plans and self.plans[node].is_bound

    def converted_inputs(self, node: Node) -> Iterator[Value]:
        """Inputs that the node, once converted, reads in the other layout; of a Transpose into it its only input."""
        if node in self.to_other:
            yield node.inputs[0]
        for position in self.plans[node].inputs:
            yield node.inputs[position]

    def reads_as_stored(self, reader: Node, value: Value) -> bool:
        """Whether the reader takes the value in either layout, at whichever position it reads it."""
        plan = self.plans.get(reader)
        positions = [k for k, v in enumerate(reader.inputs) if v == value]
        return plan is not None and reader not in self.to_other and all(k in plan.as_stored for k in positions)

    def wants_original(self, reader: Node, value: Value) -> bool:
        """Whether the reader needs the value in the original layout, even when it is converted."""
        plan = self.plans.get(reader)
        if plan is None:
            return True
        if reader in self.to_other:
            return False
        positions = [k for k, v in enumerate(reader.inputs) if v == value]
        return any(k not in plan.inputs and k not in plan.as_stored for k in positions)

    def can_be_converted(self, value: Value) -> bool:
        """Whether the value comes in the other layout where its node is converted."""
        return value.node in self.plans and value.index in self.plans[value.node].outputs


def choose(candidates: Candidates) -> list[Node]:
    """The nodes to convert: of each group of the minimum cut all, or none where it gains nothing.

    A group gains where it holds a bound op, where converting it leaves fewer Transposes than there were, or where it
    leaves as many and another op (batch norm, bias) gets the layout that was asked for.
    """
    if not candidates.from_other and not any(p.is_bound for p in candidates.plans.values()):
        return []
    groups = _Groups(candidates, _Cut(candidates).solve())
    return [node for group in groups.members() if groups.gains(group) for node in group]


class _Cut:
    """The network of a graph's candidates."""

    def __init__(self, candidates: Candidates) -> None:
        self._known, self._network = candidates, Network()
        self._source, self._sink = self._network.vertex(), self._network.vertex()
        self._vertices = {node: self._network.vertex() for node in candidates.plans}
        self._always = sum(len(n.inputs) + len(n.dtypes) for n in candidates.plans) + 1  # more than all Transposes
        for node, plan in candidates.plans.items():
            if plan.is_bound or node in candidates.from_other or node in candidates.to_other:
                self._network.edge(self._source, self._vertices[node], self._always)
        for merge, *ends in candidates.loops():
            for end in ends if merge in self._vertices else ():
                self._network.edge(self._vertices[merge], self._vertices[end], self._always)
                self._network.edge(self._vertices[end], self._vertices[merge], self._always)
        self._outputs = set(candidates.graph.outputs.values())
        for node in candidates.plans:
            for port in candidates.plans[node].outputs:
                self._connect_after(node.out(port))
        self._connect_before()

    def solve(self) -> dict[Node, None]:
        """The candidates on the converted side, in the graph's order."""
        side = self._network.largest_source_side(self._source, self._sink)
        return {node: None for node, vertex in self._vertices.items() if vertex in side}

    def _connect_after(self, value: Value) -> None:
        after = self._network.vertex()
        self._network.edge(self._vertices[value.node], after, 1)
        if value in self._outputs:
            self._network.edge(after, self._sink, self._always)
        for reader in value.node.readers:
            if value not in reader.inputs or self._known.reads_as_stored(reader, value):
                continue
            original = self._known.wants_original(reader, value)
            self._network.edge(after, self._sink if original else self._vertices[reader], self._always)

    def _connect_before(self) -> None:
        before: dict[Value, int] = {}
        for node in self._known.plans:
            for value in self._known.converted_inputs(node):
                if value not in before:
                    before[value] = self._network.vertex()
                    source = self._vertices[value.node] if self._known.can_be_converted(value) else self._sink
                    self._network.edge(before[value], source, 1)
                self._network.edge(self._vertices[node], before[value], self._always)


class _Groups:
    """Chosen nodes that are connected by values in the other layout."""

    def __init__(self, candidates: Candidates, chosen: dict[Node, None]) -> None:
        self._known, self._chosen = candidates, chosen
        self._parents: dict[Node, Node] = {n: n for n in chosen}
        self._outputs = set(candidates.graph.outputs.values())
        self._readers: dict[Value, list[Node]] = {}
        for node in chosen:
            for value in candidates.converted_inputs(node):
                self._readers.setdefault(value, []).append(node)
        for value, readers in self._readers.items():
            joined = [value.node, *readers] if self._is_converted(value) else readers
            for node in joined[1:]:
                self._parents[self._root(node)] = self._root(joined[0])

    def _is_converted(self, value: Value) -> bool:
        return value.node in self._chosen and self._known.can_be_converted(value)

    def _root(self, node: Node) -> Node:
        while self._parents[node] is not node:
            self._parents[node] = self._parents[self._parents[node]]
            node = self._parents[node]
        return node

    def members(self) -> Iterable[list[Node]]:
        """The groups."""
        groups: dict[Node, list[Node]] = {}
        for node in self._chosen:
            groups.setdefault(self._root(node), []).append(node)
        return groups.values()

    def gains(self, group: list[Node]) -> bool:
        """See `choose`."""
        if any(self._known.is_bound(n) for n in group):
            return True
        before = sum(n in self._known.from_other for n in group)
        values = dict.fromkeys(v for n in group for v in self._known.converted_inputs(n))
        before += sum(any(r in self._known.to_other for r in self._readers[v]) for v in values)
        after = sum(not self._is_converted(v) for v in values)
        after += sum(self._is_left(n.out(port)) for n in group for port in self._known.plans[n].outputs)
        return after < before or (after == before and any("data_format" in self._known.plans[n].attrs for n in group))

    def _is_left(self, value: Value) -> bool:
        """Whether a value in the other layout is also wanted in the original one."""
        readers = [r for r in value.node.readers if value in r.inputs and not self._known.reads_as_stored(r, value)]
        stays = any(r not in self._chosen or self._known.wants_original(r, value) for r in readers)
        return stays or value in self._outputs
