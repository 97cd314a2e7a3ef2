"""Integers times 0 → 0."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite

# Zeros are stored in full: beyond this the product is cheaper to keep than its value (Grappler's limit for growth).
_MAX_ELEMENTS = 100 * 1024 // 8


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

    Declines when: the numbers are floats or complex (0 · NaN and 0 · ∞ are NaN); the shape is not known or large.
    Source: Grappler's constant folding (SimplifyArithmeticOperations), which ignores NaN.
    """
    if zero.any():
        return None
    require(x.dtype.is_integer, "0 times NaN or infinity is NaN", at=mul)
    dims = x.shape.dims or ()
    require(x.shape.is_full, "the shape is not known", at=mul)
    shape = np.broadcast_shapes(tuple(d for d in dims if d is not None), zero.shape)
    require(np.prod(shape, dtype=np.int64) <= _MAX_ELEMENTS, "the zeros would be large", at=mul)
    return new.const(np.zeros(shape, zero.dtype))
