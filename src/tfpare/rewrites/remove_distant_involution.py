"""An op that is its own inverse, twice with only data movement between → the movement alone."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.elementwise import MOVEMENT, chain_below, rebuild

_INVOLUTIONS = "Neg | LogicalNot | Invert | Conj"


@rewrite(op(_INVOLUTIONS, bind="outer"), effect=Effect.EXACT)
def remove_distant_involution(new: Builder, outer: Node) -> Value | None:
    """−(move(−x)) = move(x) for Reshape, Transpose and other data movement; likewise LogicalNot, Invert and Conj.

    Before:
        x = input(float32[?,4])
        a = Neg(x)
        shape = const(int32, [-1, 2])
        r = Reshape(a, shape)
        y = Neg(r)
        return y

    After:
        x = input(float32[?,4])
        shape = const(int32, [-1, 2])
        y = Reshape(x, shape)
        return y

    Declines when: another node needs the inner result.
    Source: Grappler's arithmetic optimizer (RemoveInvolution).
    """
    return _skip(new, outer)


@rewrite(op("Reciprocal", bind="outer"), effect=Effect.ROUNDING)
def remove_distant_reciprocal(new: Builder, outer: Node) -> Value | None:
    """1/move(1/x) = move(x) for Reshape, Transpose and other data movement.

    Before:
        x = input(float32[?,4])
        a = Reciprocal(x)
        order = const(int32, [1, 0])
        t = Transpose(a, order)
        y = Reciprocal(t)
        return y

    After:
        x = input(float32[?,4])
        order = const(int32, [1, 0])
        y = Transpose(x, order)
        return y

    Declines when: another node needs the inner result; the numbers are no floats.
    Source: Grappler's arithmetic optimizer (RemoveInvolution).
    """
    require(outer.dtypes[0].is_float, "the numbers are no floats", at=outer)
    return _skip(new, outer)


def _skip(new: Builder, outer: Node) -> Value | None:
    chain = chain_below(new, outer.inputs[0], MOVEMENT, outer)
    inner = new.producer(chain[-1].inputs[0], outer.op) if chain else None
    if inner is None:
        return None
    require(new.can_absorb(inner.out(), by=chain[-1]), "another node needs the inner result", at=inner)
    return rebuild(new, chain, inner.inputs[0])
