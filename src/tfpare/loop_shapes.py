"""Shapes inside TF 1 loops, by induction: what the entering value has, and every round gives back, always holds.

TensorFlow's shape inference goes through a graph once and gives up at the Merge where a loop begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeAlias

from tfpare.errors import InvariantError
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import UNKNOWN, Shape

Found: TypeAlias = "Mapping[Node, tuple[Shape, ...]]"

_DEPTH = 3  # passes that carry shapes into loops inside loops
_ROUNDS = 4  # passes that take back what a round of the loop does not keep: mostly none or one


def loop_merges(graph: Graph) -> list[Node]:
    """Where loops begin."""
    return [n for n in graph if n.op == "Merge" and any(v.node.op == "NextIteration" for v in n.inputs)]


def settle(graph: Graph, infer: Callable[[Mapping[Node, Shape]], Found]) -> tuple[Found, Mapping[Node, Shape]]:
    """Infers with assumptions on the Merges of loops until these prove themselves.

    Args:
        graph: with or without loops.
        infer: the shapes of all other nodes, under assumptions.

    Returns:
        The shapes, and the assumptions that hold.
    """
    found, merges = infer({}), loop_merges(graph)
    try:
        return _induced(merges, found, infer) if merges else (found, {})
    except InvariantError:  # what enters does not fit the body any more after a round
        return found, {}


def _induced(
    merges: list[Node], found: Found, infer: Callable[[Mapping[Node, Shape]], Found]
) -> tuple[Found, Mapping[Node, Shape]]:
    assumed = {m: _entering(m, found) for m in merges}
    trial = infer(assumed)
    for _ in range(_DEPTH):
        entering = {m: _entering(m, trial) for m in merges}
        if entering == assumed:
            break
        assumed, trial = entering, infer(entering)
    for _ in range(_ROUNDS):
        weaker = {m: _join(assumed[m], _joined(m, trial)) for m in merges}
        if weaker == assumed:
            return trial, assumed
        assumed, trial = weaker, infer(weaker)
    return found, {}


def _joined(merge: Node, found: Found) -> Shape:
    return reduce(_join, (_shape(v, found) for v in merge.inputs))


def _entering(merge: Node, found: Found) -> Shape:
    return reduce(_join, (_shape(v, found) for v in merge.inputs if v.node.op != "NextIteration"))


def _shape(value: Value, found: Found) -> Shape:
    shapes = found.get(value.node, ())
    return shapes[value.index] if value.index < len(shapes) else value.shape


def _join(a: Shape, b: Shape) -> Shape:
    """What holds for both."""
    if a.dims is None or b.dims is None or len(a.dims) != len(b.dims):
        return UNKNOWN
    return Shape(tuple(x if x == y else None for x, y in zip(a.dims, b.dims, strict=True)))
