"""Runs rules over a graph with a worklist, and owns safety: a match is committed whole or not at all.

A commit is refused, with a reason, when an interior node has a reader outside the match, is a graph output, or is
fed; when another output of the root is read; when devices differ; when control edges of the match have no place to go;
when the replacement's dtype or shape differs.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tfpare.engine.builder import Builder
from tfpare.engine.effects import Effects
from tfpare.engine.pattern import Match, match, pattern_depth
from tfpare.engine.placement import Placement, control_anchor
from tfpare.engine.rule import Declined, Rule
from tfpare.errors import InvariantError
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array

# Each commit removes its root, so a terminating rule set makes far fewer commits than this per node of the graph.
_COMMITS_PER_NODE = 8
# A rule that declined because of a second reader may fire once that is gone; then few readers are left.
_FEW_READERS = 2
# Beyond this a node is a hub (an input, a shared constant): looking at all its readers after each commit would make the
# time quadratic, and no pattern asks for an inner node with that many readers.
_MANY_READERS = 50


@dataclass(slots=True)
class RuleStats:
    """What one rule did in one graph or model."""

    applied: int = 0
    declined: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0

    def add(self, other: RuleStats) -> None:
        """Sums up."""
        self.applied += other.applied
        self.declined += other.declined
        self.examples = {**other.examples, **self.examples}
        self.seconds += other.seconds


@dataclass(slots=True)
class Commit:
    """One applied rewrite, for the trace.

    Attributes:
        node: its root.
        made: names of the nodes that it added and that are read; the one that took the root's place has its name.
        removed: names of the nodes that it replaced, the root first.
    """

    rule: str
    node: str
    graph: str
    made: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Driver:
    """Applies rules to one graph until none fires.

    Args:
        limit: stop after this many commits (to find the one that broke something); None for no limit.
    """

    def __init__(self, rules: Sequence[Rule], limit: int | None = None) -> None:
        self.by_op: dict[str, list[Rule]] = {}
        for rule in rules:
            for op in rule.pattern.ops:
                self.by_op.setdefault(op, []).append(rule)
        self.depth = max((pattern_depth(r.pattern) for r in rules), default=0)
        self.limit = limit
        self.stats: dict[str, RuleStats] = {r.name: RuleStats() for r in rules}
        self.trace: list[Commit] = []

    def run(self, graph: Graph) -> int:
        """Rewrites `graph` in place; returns the number of commits.

        Raises:
            InvariantError: a rule loops, or built something invalid.
        """
        queue = deque(n for n in graph.topological() if n.op in self.by_op)
        queued = set(queue)
        declined: dict[tuple[str, Node], tuple[str, str]] = {}
        ties = _Ties(graph)
        bound, commits = _COMMITS_PER_NODE * len(graph) + 100, 0
        while queue and (self.limit is None or len(self.trace) < self.limit):
            node = queue.popleft()
            queued.discard(node)
            if graph.nodes.get(node.name) is not node:
                continue
            touched = self._try_rules(graph, node, declined, ties)
            if touched is None:
                continue
            commits += 1
            if commits > bound:
                raise InvariantError(f"Rule {self.trace[-1].rule!r} does not come to an end at {node!r}.")
            _enqueue(queue, queued, (n for n in _above(touched, self.depth) if n.op in self.by_op))
        for (rule, node), (reason, where) in declined.items():
            if graph.nodes.get(node.name) is node:
                self.stats[rule].declined[reason] += 1
                self.stats[rule].examples.setdefault(reason, where)
        return commits

    def _try_rules(
        self, graph: Graph, node: Node, declined: dict[tuple[str, Node], tuple[str, str]], ties: _Ties
    ) -> list[Node] | None:
        for rule in self.by_op[node.op]:
            start = time.perf_counter()
            try:
                touched = self._try_rule(rule, graph, node, declined, ties)
            finally:
                self.stats[rule.name].seconds += time.perf_counter() - start
            if touched is not None:
                self.stats[rule.name].applied += 1
                return touched
        return None

    def _try_rule(
        self,
        rule: Rule,
        graph: Graph,
        node: Node,
        declined: dict[tuple[str, Node], tuple[str, str]],
        ties: _Ties,
    ) -> list[Node] | None:
        for found in match(rule.pattern, node, graph):
            builder = Builder(graph, node, rule.name, ties.effects)
            try:
                _check_interior(rule, found, graph)
                value = _call(rule, found, builder)
                if value is None:
                    _take_back(graph, builder)
                    continue
                _check_result(graph, node, value, builder)
                controls = _controls(found, builder)
                if value.node not in builder.added:
                    _check_bypass(graph, node, value, controls)
            except Declined as reason:
                _take_back(graph, builder)
                declined[rule.name, node] = (reason.reason, reason.at.name)
            except OverflowError as error:
                _take_back(graph, builder)
                declined[rule.name, node] = (str(error), node.name)
            except Exception as error:
                _take_back(graph, builder)
                if isinstance(error, InvariantError):
                    raise InvariantError(f"Rule {rule.name!r} at {node!r}: {error}") from error
                error.args = (f"rule {rule.name!r} at {node!r}: {error}",)
                raise
            else:
                declined.pop((rule.name, node), None)
                ties.tie(found, builder, value)
                root = node.name
                touched, removed = _commit(graph, node, value, builder, controls)
                made = tuple(n.name for n in builder.added if graph.nodes.get(n.name) is n)
                self.trace.append(Commit(rule.name, root, graph.name, made, removed))
                return touched
        return None


def _above(nodes: list[Node], depth: int) -> list[Node]:
    """The nodes and who reads them, over as many edges as a pattern can look down."""
    found, layer = dict.fromkeys(nodes), nodes
    for _ in range(depth):
        layer = [r for n in layer if len(n.readers) <= _MANY_READERS for r in n.readers if r not in found]
        found.update(dict.fromkeys(layer))
    return list(found)


def _enqueue(queue: deque[Node], queued: set[Node], nodes: Iterable[Node]) -> None:
    for node in nodes:
        if node not in queued:
            queued.add(node)
            queue.append(node)


def _call(rule: Rule, found: Match, builder: Builder) -> Value | None:
    arguments: dict[str, object] = {}
    for name in rule.parameters:
        if name in found.nodes:
            arguments[name] = found.nodes[name]
        elif name.removesuffix("_value") in found.values and name.endswith("_value"):
            arguments[name] = found.values[name.removesuffix("_value")]
        else:
            value = found.values[name]
            constant = value.constant if value.node in found.constants else None
            arguments[name] = value if constant is None else _wide(constant, value)
    return rule.function(builder, **arguments)


def _wide(array: Array, value: Value) -> Array:
    return array.astype(np.float64) if value.dtype.is_float else array


def _check_interior(rule: Rule, found: Match, graph: Graph) -> None:
    matched = {found.root, *found.interior}
    shared = {found.nodes[name] for name in rule.shares if name in found.nodes}
    outputs = graph.output_nodes() if found.interior else set[Node]()
    for node in found.interior:
        if node not in shared and (node in outputs or node in graph.keep):
            raise Declined("an inner node is an output of the model", node)
        if node not in shared and any(r not in matched for r in node.readers):
            raise Declined("another node reads an inner node", node)
        if node.device != found.root.device:
            raise Declined("the nodes are placed on different devices", node)
        if node.controls:
            raise Declined("an inner node waits for a control input", node)


def _check_result(graph: Graph, root: Node, value: Value, builder: Builder) -> None:
    old = root.out()
    if root.controls and value.node not in builder.added and root in graph.output_nodes():
        raise Declined("an output of the model waits for its control inputs", root)
    if any(Value(root, k) in r.inputs for k in range(1, len(root.dtypes)) for r in root.readers):
        raise Declined("another output of the node is read", root)
    if value.dtype.base != old.dtype.base:
        raise InvariantError(f"the replacement is {value.dtype}, not {old.dtype}")
    if not value.shape.is_compatible(old.shape):
        raise InvariantError(f"the replacement has shape {value.shape}, not {old.shape}")


def _controls(found: Match, builder: Builder) -> tuple[Node, ...]:
    """What the match waits for: constants carry control edges too (TF 1 writes them there alone)."""
    nodes = (found.root, *found.constants, *builder.constants)
    return tuple(dict.fromkeys(c for n in nodes for c in n.controls))


def _check_bypass(graph: Graph, root: Node, value: Value, controls: tuple[Node, ...]) -> None:
    """An existing value takes the root's place: its readers have to take over the control edges of the match."""
    if value.node.op in ("Switch", "RefSwitch") and any(root in r.controls for r in root.readers):
        raise Declined("it marks a branch of a Switch", root)
    if controls and any(r.op in ("Merge", "RefMerge", "NextIteration", "RefNextIteration") for r in root.readers):
        raise Declined("its control inputs would move to a Merge", root)
    if controls and root.out() in graph.outputs.values():
        raise Declined("an output of the model waits for its control inputs", root)


def _take_back(graph: Graph, builder: Builder) -> None:
    for node in reversed(builder.added):
        graph.remove(node)
    builder.added.clear()


def _commit(
    graph: Graph, root: Node, value: Value, builder: Builder, controls: tuple[Node, ...]
) -> tuple[list[Node], tuple[str, ...]]:
    """Moves readers, name, shape and control edges of the root to the replacement.

    Returns:
        the nodes to look at again, and the names of the removed ones.
    """
    old = root.out()
    made = value.node in builder.added
    if made:
        shapes = value.node.shapes
        merged = value.shape.merge(old.shape)
        value.node.shapes = (*shapes[: value.index], merged, *shapes[value.index + 1 :])
    readers = graph.replace_value(old, value)
    touched = [*builder.added, *readers]
    for waiting in [value.node] if made else readers:
        if controls:
            graph.set_controls(waiting, (*waiting.controls, *controls))
    _move_waiting(graph, root, value)
    sources = [v.node for v in root.inputs]
    removed = _remove_unread(graph, root)
    touched.extend(r for n in sources if len(n.readers) <= _FEW_READERS for r in n.readers)
    if made and root.name not in graph.nodes:
        graph.rename(value.node, root.name)
    return [n for n in touched if n is not root], removed


def _move_waiting(graph: Graph, root: Node, value: Value) -> None:
    graph.replace_control(root, [value.node])
    if root in graph.keep:
        del graph.keep[root]
        graph.keep[value.node] = None


def _remove_unread(graph: Graph, node: Node) -> tuple[str, ...]:
    """Removes a node and whatever only it needed; returns their names."""
    stack = [node]
    removed: list[str] = []
    outputs = graph.output_nodes()
    protected = {v.node for v in graph.fed} | set(graph.args) | graph.pinned
    while stack:
        dead = stack.pop()
        gone = graph.nodes.get(dead.name) is not dead
        if gone or dead.readers or dead in outputs or dead in protected or dead in graph.keep:
            continue
        sources = [*(v.node for v in dead.inputs), *dead.controls]
        graph.remove(dead)
        removed.append(dead.name)
        stack.extend(sources)
    return tuple(removed)


class _Ties:
    """Keeps what a rule adds in the loop frame or branch of the match (see `placement`)."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._placement = graph, Placement(graph)
        self.effects = cache(lambda: Effects(graph))  # few rules ask

    def tie(self, found: Match, builder: Builder, value: Value) -> None:
        """Ties the input-less nodes that need it to a value that the match reads from outside."""
        if not self._placement.active:
            return
        loose = [n for n in builder.added if not n.inputs]
        if not self._placement.in_loop(found.root):
            loose = [n for n in loose if n is value.node and self._placement.is_conditional(found.root)]
        anchor = self._anchor(found, builder) if loose else None
        for node in loose:
            if anchor is not None:
                self._graph.set_controls(node, [*node.controls, anchor])
        self._placement.adopt(builder.added, found.root)

    def _anchor(self, found: Match, builder: Builder) -> Node | None:
        matched = {found.root, *found.interior}
        read = [v for n in matched for v in n.inputs if v.node not in matched and v.constant is None]
        if read:
            anchor = control_anchor(self._graph, read[0], f"{found.root.name}/pivot")
            self._placement.adopt([anchor], found.root)
            return anchor
        return next((c for n in (*found.constants, *builder.constants) for c in n.controls), None)
