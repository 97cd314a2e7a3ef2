"""Reshape, ops that work element by element, Reshape → without the first."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, rewrite
from tfpare.rewrites.elementwise import UNARY, chain_below, rebuild


@rewrite(op("Reshape", op(UNARY), any_("shape"), bind="outer"), effect=Effect.EXACT)
def remove_reshape_before_unary(new: Builder, outer: Node, shape: Value) -> Value | None:
    """Reshape(f(Reshape(x, s1)), s2) = Reshape(f(x), s2) for a chain f of ops that work element by element.

    Before:
        x = input(float32[?,4,4])
        s1 = const(int32, [-1, 16])
        r = Reshape(x, s1)
        a = Abs(r)
        b = Tanh(a)
        s2 = const(int32, [-1, 2, 8])
        y = Reshape(b, s2)
        return y

    After:
        x = input(float32[?,4,4])
        a = Abs(x)
        b = Tanh(a)
        s2 = const(int32, [-1, 2, 8])
        y = Reshape(b, s2)
        return y

    Declines when: another node needs a result between.
    Source: Grappler's arithmetic optimizer (RemoveRedundantReshape).
    """
    chain = chain_below(new, outer.inputs[0], UNARY, outer)
    inner = new.producer(chain[-1].inputs[0], "Reshape") if chain else None
    if inner is None or not new.can_absorb(inner.out(), by=chain[-1]):
        return None
    return new.like(outer, rebuild(new, chain, inner.inputs[0], keep_shape=False), shape)
