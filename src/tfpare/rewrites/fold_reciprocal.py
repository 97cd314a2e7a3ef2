"""1 / x → Reciprocal(x); a reciprocal of a reciprocal → gone."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import keeps_shape


@rewrite(op("RealDiv", const("one"), any_("x"), bind="div"), effect=Effect.ROUNDING, after=("merge_constant_muls",))
def fold_reciprocal(new: Builder, div: Node, one: Array, x: Value) -> Value | None:
    """1 / x = Reciprocal(x).

    Before:
        one = const(float32, 1)
        x = input(float32[?,4])
        y = RealDiv(one, x)
        return y

    After:
        x = input(float32[?,4])
        y = Reciprocal(x)
        return y

    Declines when: the numbers are no floats; broadcasting may enlarge the shape.
    Source: Grappler's constant folding (SimplifyArithmeticOperations). The float32 kernel of Reciprocal is one ulp off
    the quotient in a third of all cases, hence rounding.
    """
    if not (one == 1).all():
        return None
    require(x.dtype.is_float, "the numbers are no floats", at=div)
    require(keeps_shape(one, x), "broadcasting may enlarge the shape", at=div)
    return new.op("Reciprocal", x)


@rewrite(
    op("Reciprocal", op("Reciprocal", any_("x"), bind="inner"), bind="outer"),
    effect=Effect.ROUNDING,
    shares=("inner",),
)
def remove_double_reciprocal(new: Builder, outer: Node, x: Value) -> Value:
    """Reciprocal(Reciprocal(x)) = x.

    Before:
        x = input(float32[?,4])
        a = Reciprocal(x)
        b = Reciprocal(a)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: the numbers are no floats.
    Source: Grappler's arithmetic optimizer (RemoveInvolution).
    """
    require(x.dtype.is_float, "the numbers are no floats", at=outer)
    return x
