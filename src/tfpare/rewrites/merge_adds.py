"""Chains of additions of one shape → one AddN."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.elementwise import FUSED_PRODUCERS, have_same_shape

_ADDS = "Add | AddV2 | AddN"


@rewrite(
    op("Add | AddV2 | AddN", bind="root"),
    effect=Effect.ROUNDING,
    after=("hoist_common_factor", "hoist_common_divisor", "reorder_broadcasts", "fold_added_negation"),
)
def merge_adds(new: Builder, root: Node) -> Value | None:
    """(a + b) + c = AddN(a, b, c), which reads each operand once and writes no sum between.

    Before:
        a = input(float32[3,4])
        b = input(float32[3,4])
        c = input(float32[3,4])
        s = AddV2(a, b)
        y = AddV2(s, c)
        return y

    After:
        a = input(float32[3,4])
        b = input(float32[3,4])
        c = input(float32[3,4])
        y = AddN(a, b, c)
        return y

    Before:
        x = input(float32[?,4])
        a = Sigmoid(x)
        b = Tanh(x)
        s = AddN(x, a)
        y = AddV2(b, s)
        return y

    After:
        x = input(float32[?,4])
        b = Tanh(x)
        a = Sigmoid(x)
        y = AddN(b, x, a)
        return y

    Declines when: another node needs a partial sum; the operands are not known to have one shape; an operand is
    constant; a linear op or a bias computes an operand (the run-time fuses Conv2D, BiasAdd and Add into one kernel,
    which is faster than any AddN); the values are no real numbers.
    Source: Grappler's arithmetic optimizer (AddOpsRewrite), without its AddN for each of several shapes.
    """
    inner = [v for v in root.inputs if new.producer(v, _ADDS) is not None]
    if not inner:
        return None
    free = [v for v in inner if new.can_absorb(v) and list(root.inputs).count(v) == 1]
    require(free, "another node needs the partial sum", at=inner[0].node)
    terms = [t for v in root.inputs for t in (v.node.inputs if v in free else (v,))]
    require(terms[0].dtype.is_float or terms[0].dtype.is_integer, "the values are no real numbers", at=root)
    _check_terms(new, root, terms)
    return new.op("AddN", *terms, shape=terms[0].shape)


def _check_terms(new: Builder, root: Node, terms: list[Value]) -> None:
    same = all(have_same_shape(new, terms[0], t) for t in terms[1:])
    require(same, "the operands are not known to have one shape", at=root)
    require(all(new.constant_of(t) is None for t in terms), "an operand is constant", at=root)
    sums = frozenset(_ADDS.replace("|", " ").split())
    fused = next((t.node for t in terms if t.node.op not in sums and new.producer(t, FUSED_PRODUCERS)), None)
    require(fused is None, "the run-time fuses the sum into what computes an operand", at=fused or root)
