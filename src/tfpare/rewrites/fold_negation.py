"""Negations before or in place of a subtraction → one op."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import keeps_shape


@rewrite(op("Add | AddV2", any_("a"), op("Neg", any_("b"), bind="neg")), effect=Effect.EXACT)
def fold_added_negation(new: Builder, a: Value, b: Value) -> Value:
    """a + (−b) = a − b.

    Before:
        a = input(float32[?,4])
        b = input(float32[4])
        n = Neg(b)
        y = AddV2(a, n)
        return y

    After:
        a = input(float32[?,4])
        b = input(float32[4])
        y = Sub(a, b)
        return y

    Declines when: another node reads the negation (the engine's check).
    Source: Grappler's arithmetic optimizer (HoistNegation, ReplaceNegation).
    """
    return new.op("Sub", a, b)


@rewrite(op("Sub", any_("a"), op("Neg", any_("b"), bind="neg")), effect=Effect.EXACT)
def fold_subtracted_negation(new: Builder, a: Value, b: Value) -> Value:
    """a − (−b) = a + b.

    Before:
        a = input(float32[?,4])
        b = input(float32[4])
        n = Neg(b)
        y = Sub(a, n)
        return y

    After:
        a = input(float32[?,4])
        b = input(float32[4])
        y = AddV2(a, b)
        return y

    Declines when: another node reads the negation (the engine's check).
    Source: Grappler's arithmetic optimizer (HoistNegation).
    """
    return new.op("AddV2", a, b)


@rewrite(op("Sub", const("zero"), any_("x"), bind="sub"), effect=Effect.ROUNDING)
def fold_subtraction_from_zero(new: Builder, sub: Node, zero: Array, x: Value) -> Value | None:
    """0 − x = −x, up to the sign of 0.

    Before:
        zero = const(float32, 0)
        x = input(float32[?,4])
        y = Sub(zero, x)
        return y

    After:
        x = input(float32[?,4])
        y = Neg(x)
        return y

    Declines when: broadcasting may enlarge the shape; the type is an unsigned integer, which Neg does not take.
    Source: Grappler's constant folding (SimplifyArithmeticOperations).
    """
    if zero.any():
        return None
    require(not x.dtype.name.startswith("uint"), "Neg does not take unsigned integers", at=sub)
    require(keeps_shape(zero, x), "broadcasting may enlarge the shape", at=sub)
    return new.op("Neg", x)
