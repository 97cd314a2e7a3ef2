"""A product of a value with itself → Square."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Value, any_, op, rewrite


@rewrite(op("Mul", any_("x"), any_("x")), effect=Effect.EXACT)
def replace_mul_by_square(new: Builder, x: Value) -> Value:
    """x · x = x².

    Before:
        x = input(float32[?,4])
        y = Mul(x, x)
        return y

    After:
        x = input(float32[?,4])
        y = Square(x)
        return y

    Declines when: never by itself; two values do not match.
    Source: Grappler's arithmetic optimizer (ReplaceMulWithSquare). Square reads its operand once and never broadcasts.
    """
    return new.op("Square", x, shape=x.shape)
