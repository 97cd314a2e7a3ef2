"""A product of a value with itself → Square."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(op("Mul", any_("x"), any_("x"), bind="mul"), effect=Effect.EXACT)
def replace_mul_by_square(new: Builder, mul: Node, x: Value) -> Value:
    """x · x = x².

    Before:
        x = input(float32[?,4])
        y = Mul(x, x)
        return y

    After:
        x = input(float32[?,4])
        y = Square(x)
        return y

    Declines when: the numbers are complex (the kernels multiply them in two ways).
    Source: Grappler's arithmetic optimizer (ReplaceMulWithSquare). Square reads its operand once and never broadcasts.
    """
    require(x.dtype.is_float or x.dtype.is_integer, "the numbers are complex", at=mul)
    return new.op("Square", x, shape=x.shape)
