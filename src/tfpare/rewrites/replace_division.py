"""Division by constants → multiplication, which is faster."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import SMALLEST_NORMAL

_PATTERN = op("RealDiv | Div", any_("x"), const("c"), bind="div")


@rewrite(_PATTERN, effect=Effect.EXACT, after=("fold_reciprocal",))
def replace_exact_division(new: Builder, div: Node, x: Value, c: Array) -> Value | None:
    """x / c = x · (1/c) for powers of two: both are the same number, rounded once.

    Before:
        x = input(float32[?,2])
        c = const(float32, [4, 0.5])
        y = RealDiv(x, c)
        return y

    After:
        x = input(float32[?,2])
        c = const(float32, [0.25, 2])
        y = Mul(x, c)
        return y

    Declines when: c or 1/c is 0, denormal, infinite or NaN.
    Source: Grappler's constant folding (ConstantPushDown, reciprocals), which does it to all constants.
    """
    if div.dtypes[0].name not in SMALLEST_NORMAL or not _is_power_of_two(c):
        return None
    return _multiply(new, div, x, c)


@rewrite(_PATTERN, effect=Effect.ROUNDING, after=("fold_reciprocal",))
def replace_division(new: Builder, div: Node, x: Value, c: Array) -> Value | None:
    """x / c = x · (1/c) for floats.

    Before:
        x = input(float32[?,4])
        c = const(float32[4])
        y = RealDiv(x, c)
        return y

    After:
        x = input(float32[?,4])
        c = const(float32[4])
        y = Mul(x, c)
        return y

    Declines when: c or 1/c is 0, denormal, infinite or NaN.
    Source: Grappler's constant folding (ConstantPushDown, reciprocals).
    """
    return _multiply(new, div, x, c) if div.dtypes[0].name in SMALLEST_NORMAL else None


def _multiply(new: Builder, div: Node, x: Value, c: Array) -> Value:
    smallest = SMALLEST_NORMAL[div.dtypes[0].name]
    with np.errstate(all="ignore"):
        normal = (np.abs(c) >= smallest) & (np.abs(1 / c) >= smallest) & np.isfinite(1 / c)
    require(normal.all(), "c or 1/c is 0, denormal, infinite or NaN", at=div)
    return new.op("Mul", x, new.const(np.asarray(1 / c)))


def _is_power_of_two(c: Array) -> bool:
    mantissa, _ = np.frexp(np.abs(c))
    return bool((mantissa[np.isfinite(c) & (c != 0)] == 0.5).all())
