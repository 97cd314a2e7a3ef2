"""Divisions by a square root → products with the reciprocal square root."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(op("RealDiv | Div", any_("x"), op("Sqrt", any_("v"), bind="sqrt"), bind="quotient"), effect=Effect.ROUNDING)
def replace_division_by_sqrt(new: Builder, quotient: Node, sqrt: Node, x: Value, v: Value) -> Value:
    """x / √v = x · Rsqrt(v).

    Before:
        x = input(float32[?,4])
        v = input(float32[?,1])
        s = Sqrt(v)
        y = RealDiv(x, s)
        return y

    After:
        x = input(float32[?,4])
        v = input(float32[?,1])
        r = Rsqrt(v)
        y = Mul(x, r)
        return y

    Declines when: the numbers are complex; another node needs the root.
    Source: Grappler's arithmetic optimizer (SqrtDivToRsqrtMul). Signs of zero, infinities and NaN come out the same.
    """
    require(x.dtype.is_float, "the numbers are complex", at=quotient)
    return new.op("Mul", x, new.op("Rsqrt", v, shape=sqrt.shapes[0]), shape=quotient.shapes[0])


@rewrite(op("Xdivy", any_("x"), op("Sqrt", any_("v"), bind="sqrt"), bind="quotient"), effect=Effect.ROUNDING)
def replace_xdivy_by_sqrt(new: Builder, quotient: Node, sqrt: Node, x: Value, v: Value) -> Value:
    """Xdivy(x, √v) = MulNoNan(Rsqrt(v), x): 0 where x is 0, up to its sign.

    Before:
        x = input(float32[?,4])
        v = input(float32[?,1])
        s = Sqrt(v)
        y = Xdivy(x, s)
        return y

    After:
        v = input(float32[?,1])
        r = Rsqrt(v)
        x = input(float32[?,4])
        y = MulNoNan(r, x)
        return y

    Declines when: the numbers are complex; another node needs the root.
    Source: Grappler's arithmetic optimizer (SqrtDivToRsqrtMul).
    """
    require(x.dtype.is_float, "the numbers are complex", at=quotient)
    return new.op("MulNoNan", new.op("Rsqrt", v, shape=sqrt.shapes[0]), x, shape=quotient.shapes[0])


@rewrite(op("Reciprocal", op("Sqrt", any_("v"), bind="sqrt"), bind="reciprocal"), effect=Effect.ROUNDING)
def replace_reciprocal_of_sqrt(new: Builder, reciprocal: Node, v: Value) -> Value:
    """1 / √v = Rsqrt(v).

    Before:
        v = input(float32[?,4])
        s = Sqrt(v)
        y = Reciprocal(s)
        return y

    After:
        v = input(float32[?,4])
        y = Rsqrt(v)
        return y

    Declines when: the numbers are complex; another node needs the root.
    Source: the Rsqrt op page.
    """
    require(v.dtype.is_float, "the numbers are complex", at=reciprocal)
    return new.op("Rsqrt", v, shape=v.shape)
