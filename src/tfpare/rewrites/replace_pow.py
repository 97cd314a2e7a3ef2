"""Powers with a constant exponent → the op that computes just this power."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.elementwise import is_filled_with
from tfpare.rewrites.ranges import range_of
from tfpare.rewrites.static_values import keeps_shape

_EXPONENTS = (0.0, 1.0, 2.0, 3.0, 0.5, -0.5, -1.0)
_UNARY = {2.0: "Square", 0.5: "Sqrt", -0.5: "Rsqrt", -1.0: "Reciprocal"}


@rewrite(op("Pow", any_("x"), const("exponent"), bind="pow_node"), effect=Effect.ROUNDING)
def replace_pow(new: Builder, pow_node: Node, x: Value, exponent: Array) -> Value | None:
    """x² = Square(x), x³ = x·Square(x), x^½ = Sqrt(x), x^−½ = Rsqrt(x), 1/x = Reciprocal(x), x¹ = x, x⁰ = 1.

    Before:
        x = input(float32[?,4])
        exponent = const(float32, 2)
        y = Pow(x, exponent)
        return y

    After:
        x = input(float32[?,4])
        y = Square(x)
        return y

    Before:
        x = input(float32[?,4])
        exponent = const(float32, 3)
        y = Pow(x, exponent)
        return y

    After:
        x = input(float32[?,4])
        s = Square(x)
        y = Mul(x, s)
        return y

    Before:
        x = input(float32[?,4])
        a = Abs(x)
        exponent = const(float32, 0.5)
        y = Pow(a, exponent)
        return y

    After:
        x = input(float32[?,4])
        a = Abs(x)
        y = Sqrt(a)
        return y

    Declines when: broadcasting may enlarge the shape; the exponent is ½ and x may be negative (−∞ to the power of ½ is
    ∞, its square root NaN); the exponent is −½ and x may not be positive (−0 to the power of −½ is ∞, Rsqrt gives −∞);
    the numbers are complex, or integers of which Square or the negative power has no kernel.
    Source: Grappler's arithmetic optimizer (ConvertPow), which ignores −0 and −∞.
    """
    found = next((e for e in _EXPONENTS if is_filled_with(exponent, e)), None)
    if found is None:
        return None
    usable = x.dtype.is_float or (x.dtype.is_integer and found in (0.0, 1.0, 2.0, 3.0))
    require(usable, "the numbers are no floats", at=pow_node)
    require(keeps_shape(exponent, x), "broadcasting may enlarge the shape", at=pow_node)
    if found == 0.5:
        require(range_of(new, x).low >= 0, "the square root of −∞ is another", at=pow_node)
    if found == -0.5:
        require(range_of(new, x).low > 0, "the reciprocal square root of −0 is another", at=pow_node)
    return _replace(new, x, found)


def _replace(new: Builder, x: Value, exponent: float) -> Value:
    if exponent == 1:
        return x
    if exponent == 0:
        return new.op("OnesLike", x, shape=x.shape)
    if exponent == 3:
        return new.op("Mul", x, new.op("Square", x, shape=x.shape), shape=x.shape)
    return new.op(_UNARY[exponent], x, shape=x.shape)
