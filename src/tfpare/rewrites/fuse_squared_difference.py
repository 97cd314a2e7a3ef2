"""The square of a difference → SquaredDifference."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite

# The kernel exists for these.
_DTYPES = ("float16", "bfloat16", "float32", "float64", "int32", "int64")


@rewrite(op("Square", op("Sub", any_("a"), any_("b"), bind="sub"), bind="square"), effect=Effect.EXACT)
def fuse_squared_difference(new: Builder, square: Node, sub: Node, a: Value, b: Value) -> Value:
    """(a − b)² = SquaredDifference(a, b).

    Before:
        a = input(float32[?,4])
        b = input(float32[?,1])
        d = Sub(a, b)
        y = Square(d)
        return y

    After:
        a = input(float32[?,4])
        b = input(float32[?,1])
        y = SquaredDifference(a, b)
        return y

    Declines when: another node needs the difference; an operand is constant (it folds into what comes before); the op
    has no kernel for the dtype.
    Source: Grappler's arithmetic optimizer (FuseSquaredDiff).
    """
    require(a.dtype.base.name in _DTYPES, f"there is no kernel for {a.dtype}", at=square)
    constant = new.constant_of(a) is not None or new.constant_of(b) is not None
    require(not constant, "a constant operand folds into what comes before", at=sub)
    return new.op("SquaredDifference", a, b, shape=sub.shapes[0])
