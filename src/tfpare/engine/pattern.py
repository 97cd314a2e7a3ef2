"""Patterns: small trees of ops with named bindings, matched from a root node against its inputs.

Matching is guarded by the engine: it does not look behind values that callers feed, and it does not enter nodes that
the graph pins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeAlias

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array

COMMUTATIVE = frozenset({"Add", "AddV2", "Mul", "Maximum", "Minimum", "LogicalAnd", "LogicalOr"})


@dataclass(frozen=True, slots=True)
class Op:
    """A node whose op is one of `ops`; `inputs` None means that its inputs do not matter."""

    ops: frozenset[str]
    inputs: tuple[Pattern, ...] | None
    bind: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - as the function that makes it
    """Any value; the same name twice means the same value."""

    bind: str


@dataclass(frozen=True, slots=True)
class Const:
    """A constant that no caller feeds."""

    bind: str


Pattern: TypeAlias = "Op | Any_ | Const"


@dataclass(slots=True)
class Match:
    """What a pattern found.

    Attributes:
        root: the node whose output 0 the rule replaces.
        nodes: bound op nodes by name; values: bound values by name (constants too).
        interior: matched op nodes other than the root.
        constants: the Const nodes that were bound.
    """

    root: Node
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    interior: tuple[Node, ...] = ()
    constants: tuple[Node, ...] = ()

    def arrays(self) -> dict[str, Array]:
        """The values of bound constants by name."""
        found = {name: value.constant for name, value in self.values.items()}
        return {n: a for n, a in found.items() if a is not None}


def op(names: str, *inputs: Pattern, bind: str = "", port: int = 0) -> Op:
    """A node pattern: `op("Conv2D | DepthwiseConv2dNative", any_("x"), const("kernel"), bind="conv")`.

    Without input patterns the inputs are not looked at. For commutative ops both orders are tried. `port` is the
    output that the reader must read.
    """
    return Op(frozenset(names.replace("|", " ").split()), inputs or None, bind, port)


def any_(bind: str) -> Any_:
    """Any value, bound as a Value."""
    return Any_(bind)


def const(bind: str) -> Const:
    """A constant, bound as its array (float constants as float64)."""
    return Const(bind)


def pattern_depth(pattern: Pattern) -> int:
    """Over how many edges a pattern looks down from its root."""
    inputs = pattern.inputs or () if isinstance(pattern, Op) else ()
    return 1 + max((pattern_depth(p) for p in inputs), default=-1) if inputs else 0


def match(pattern: Op, root: Node, graph: Graph) -> Iterator[Match]:
    """All ways in which `pattern` fits with its root at `root`."""
    if root.op not in pattern.ops or root in graph.pinned or root.out() in graph.fed:
        return
    yield from _match_node(pattern, root, graph, Match(root))


def _match_node(pattern: Op, node: Node, graph: Graph, state: Match) -> Iterator[Match]:
    if pattern.bind:
        if state.nodes.get(pattern.bind, node) is not node:
            return
        state = Match(state.root, {**state.nodes, pattern.bind: node}, state.values, state.interior, state.constants)
    if pattern.inputs is None:
        yield state
    elif len(pattern.inputs) == len(node.inputs):
        for order in _orders(node):
            yield from _match_inputs(pattern.inputs, order, graph, state)


def _orders(node: Node) -> Iterator[tuple[Value, ...]]:
    if node.op in COMMUTATIVE and node.inputs[0] != node.inputs[1]:
        yield from permutations(node.inputs)
    else:
        yield node.inputs


def _match_inputs(
    patterns: tuple[Pattern, ...], values: tuple[Value, ...], graph: Graph, state: Match
) -> Iterator[Match]:
    if not patterns:
        yield state
        return
    for found in _match_value(patterns[0], values[0], graph, state):
        yield from _match_inputs(patterns[1:], values[1:], graph, found)


def _match_value(pattern: Pattern, value: Value, graph: Graph, state: Match) -> Iterator[Match]:
    if isinstance(pattern, Op):
        if value.node.op in pattern.ops and value.index == pattern.port and _may_enter(value, graph):
            inner = Match(state.root, state.nodes, state.values, (*state.interior, value.node), state.constants)
            yield from _match_node(pattern, value.node, graph, inner)
        return
    if state.values.get(pattern.bind, value) != value:
        return
    bound = {**state.values, pattern.bind: value}
    if isinstance(pattern, Any_):
        yield Match(state.root, state.nodes, bound, state.interior, state.constants)
    elif value.constant is not None and value not in graph.fed:
        yield Match(state.root, state.nodes, bound, state.interior, (*state.constants, value.node))


def _may_enter(value: Value, graph: Graph) -> bool:
    return value not in graph.fed and value.node not in graph.pinned
