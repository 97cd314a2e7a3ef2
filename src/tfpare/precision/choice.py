"""Which nodes to compute in bfloat16: those that save more time than the Casts around them cost.

With the nodes in bfloat16 on the one side and the rest on the other, the time lost against the best that each node and
value could have is the capacity of a cut::

    bfloat16 → node             what the node saves, lost where it stays in float32
    node → float32              what it costs, where it saves nothing
    node → after(v) → readers   a Cast, where the node is in bfloat16 and some reader of v is not
    readers → before(v) → node  a Cast, where some reader is in bfloat16 and the node is not

A minimum cut is the best choice; constants need no Cast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tfpare.engine.rule import Declined, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import dtype
from tfpare.layout.minimum_cut import Network
from tfpare.precision import ops
from tfpare.precision.costs import cast_ns, saved_ns
from tfpare.precision.retype import Retyping, retyping

FLOAT32, BFLOAT16 = dtype("float32"), dtype("bfloat16")
_NO_GAIN = "it would save less time than its Casts take"
_STATISTICS = "statistics of a normalization need more bits"
_LARGEST = float(np.float32(3.3895314e38))  # of bfloat16; what is larger becomes infinite


def _keeps_none(name: str) -> bool:
    del name
    return False


@dataclass(slots=True)
class Candidates:
    """Nodes of a graph that can be computed in bfloat16, and why others cannot; `keeps` names those that must not."""

    graph: Graph
    keeps: Callable[[str], bool] = _keeps_none
    plans: dict[Node, Retyping] = field(default_factory=dict[Node, Retyping])
    reasons: dict[Node, str] = field(default_factory=dict[Node, str])

    def __post_init__(self) -> None:
        for node in self.graph:
            if node.op in ops.UNSAFE and FLOAT32 in (v.dtype.base for v in node.inputs):
                self.reasons[node] = f"{node.op}: {ops.UNSAFE[node.op]}"
            elif node.op in ops.CANDIDATES:
                self._add(node)

    def _add(self, node: Node) -> None:
        try:
            require(not self.keeps(node.name), "float32 was asked for", at=node)
            plan = retyping(self.graph, node, FLOAT32, BFLOAT16)
            if plan is not None:
                _require_safe(self.graph, node, plan)
                self.plans[node] = plan
        except Declined as reason:
            self.reasons[node] = str(reason)


def _require_safe(graph: Graph, node: Node, plan: Retyping) -> None:
    require(all(node.out(k).shape.rank is not None for k in plan.outputs), "the rank is not known", at=node)
    constants = [node.inputs[k].constant for k in plan.inputs if node.inputs[k] not in graph.fed]
    for array in constants:
        fits = array is None or not np.any(np.isfinite(array) & (np.abs(array) > _LARGEST))
        require(fits, "a constant is beyond the range of bfloat16", at=node)
    if node.op == "Mean":
        require(_is_pooling(node), _STATISTICS, at=node)
    if node.op in ("FusedBatchNormV2", "FusedBatchNormV3"):
        require(not node["is_training"], _STATISTICS, at=node)


def _is_pooling(node: Node) -> bool:
    """Whether a Mean is one of an image's pixels, and not what is subtracted from them to normalize."""
    axes, rank = node.inputs[1].constant, node.inputs[0].shape.rank
    if axes is None or rank != 4 or {int(a) % rank for a in axes.reshape(-1)} not in ({1, 2}, {2, 3}):
        return False
    return not any(r.op in ("Sub", "SquaredDifference", "Square") for r in node.inputs[0].node.readers)


def choose(candidates: Candidates) -> dict[Node, Retyping]:
    """The nodes to convert; notes the reason of contractions that are not."""
    side = _Cut(candidates).solve() if any(n.op in ops.CONTRACTIONS for n in candidates.plans) else set[Node]()
    for node in candidates.plans:
        if node not in side and node.op in ops.CONTRACTIONS:
            candidates.reasons[node] = _NO_GAIN
    return {node: plan for node, plan in candidates.plans.items() if node in side}


class _Cut:
    """The network of a graph's candidates."""

    def __init__(self, candidates: Candidates) -> None:
        self._graph, self._plans, self._network = candidates.graph, candidates.plans, Network()
        self._source, self._sink = self._network.vertex(), self._network.vertex()
        self._vertices = {node: self._network.vertex() for node in self._plans}
        savings = {node: round(saved_ns(self._graph, node)) for node in self._plans}
        values = self._values()
        self._never = sum(abs(s) for s in savings.values()) + 2 * sum(values.values()) + 1  # more than all together
        for node, saving in savings.items():
            if saving > 0:
                self._network.edge(self._source, self._vertices[node], saving)
            elif saving < 0:
                self._network.edge(self._vertices[node], self._sink, -saving)
        outputs = set(self._graph.outputs.values())
        for value, cost in values.items():
            self._connect(value, cost, value in outputs)

    def solve(self) -> set[Node]:
        """The nodes on the side of bfloat16."""
        side = self._network.largest_source_side(self._source, self._sink)
        return {node for node, vertex in self._vertices.items() if vertex in side}

    def _values(self) -> dict[Value, int]:
        """What could need a Cast, and its cost."""
        read = [node.inputs[k] for node, plan in self._plans.items() for k in plan.inputs]
        made = [node.out(k) for node, plan in self._plans.items() for k in plan.outputs]
        fed = self._graph.fed
        return {v: round(cast_ns(v)) for v in dict.fromkeys([*read, *made]) if v in fed or v.constant is None}

    def _connect(self, value: Value, cost: int, is_output: bool) -> None:
        plan = self._plans.get(value.node)
        maker = self._vertices[value.node] if plan and value.index in plan.outputs else self._sink
        before, after = self._network.vertex(), self._network.vertex()
        self._network.edge(before, maker, cost)
        self._network.edge(maker, after, cost)
        if is_output:
            self._network.edge(after, self._sink, self._never)
        for reader in value.node.readers:
            for position, read in enumerate(reader.inputs):
                if read == value:
                    self._connect_reader(reader, position, before, after)

    def _connect_reader(self, reader: Node, position: int, before: int, after: int) -> None:
        plan = self._plans.get(reader)
        if plan is None or position not in plan.inputs:
            self._network.edge(after, self._sink, self._never)
            return
        self._network.edge(self._vertices[reader], before, self._never)
        self._network.edge(after, self._vertices[reader], self._never)
