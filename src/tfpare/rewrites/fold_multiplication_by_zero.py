"""Integers times 0 → 0."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.splat import broadcast_shape, splat


@rewrite(op("Mul", any_("x"), const("zero"), bind="mul"), effect=Effect.EXACT)
def fold_multiplication_by_zero(new: Builder, mul: Node, x: Value, zero: Array) -> Value | None:
    """0 · x = 0 for integers.

    Before:
        x = input(int32[2,4])
        zero = const(int32, 0)
        m = Mul(zero, x)
        return m

    After:
        m = const(int32, [[0, 0, 0, 0], [0, 0, 0, 0]])
        return m

    Declines when: the numbers are floats or complex (0 · NaN and 0 · ∞ are NaN); the shape is not known or large; x is
    computed with an effect, which would be lost.
    Source: Grappler's constant folding (SimplifyArithmeticOperations), which ignores NaN.
    """
    if zero.any():
        return None
    require(x.dtype.is_integer, "0 times NaN or infinity is NaN", at=mul)
    require(not new.has_effect(x), "an operand is computed with an effect", at=mul)
    return splat(new, np.zeros((), zero.dtype), broadcast_shape(mul), mul)
