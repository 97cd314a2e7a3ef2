"""A sum of one value n times → n times the value."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite


@rewrite(op("AddN", bind="addn"), effect=Effect.ROUNDING)
def merge_equal_terms(new: Builder, addn: Node) -> Value | None:
    """AddN(x, …, x) = n·x.

    Before:
        x = input(float32[?,4])
        y = AddN(x, x, x)
        return y

    After:
        x = input(float32[?,4])
        n = const(float32)
        y = Mul(x, n)
        return y

    Declines when: the numbers are complex, or no numbers.
    Source: Grappler's arithmetic optimizer (RewriteAggregation).
    """
    count, x = len(addn.inputs), addn.inputs[0]
    if count < 2 or any(v != x for v in addn.inputs):
        return None
    require(x.dtype.is_float or x.dtype.is_integer, "the values are no real numbers", at=addn)
    # Integers wrap around as the sum does.
    return new.op("Mul", x, new.const(np.asarray(count), x), shape=x.shape)
