"""x · 1, x / 1, x + 0, x − 0, x and true, x or false → x."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import keeps_shape

_PATTERN = op(
    "Mul | MulNoNan | RealDiv | Div | DivNoNan | FloorDiv | TruncateDiv | Add | AddV2 | Sub | LogicalAnd | LogicalOr",
    any_("x"),
    const("c"),
    bind="node",
)
_NEUTRAL = {"Add": 0, "AddV2": 0, "Sub": 0, "LogicalOr": False, "LogicalAnd": True}


@rewrite(_PATTERN, effect=Effect.EXACT)
def remove_neutral_element(new: Builder, node: Node, x: Value, c: Array) -> Value | None:
    """x · 1 = x / 1 = x + 0 = x − 0 = (x and true) = (x or false) = x.

    Before:
        x = input(int32[?,4])
        one = const(int32, [1, 1, 1, 1])
        m = Mul(x, one)
        y = Neg(m)
        return y

    After:
        x = input(int32[?,4])
        y = Neg(x)
        return y

    Declines when: broadcasting may enlarge the shape; the numbers are floats, where TensorFlow turns denormal numbers
    into 0 and −0 + 0 is 0 (`remove_neutral_float_element`; float16 is computed without either where 0 has the right
    sign).
    Source: Grappler's constant folding (SimplifyArithmeticOperations).
    """
    if not _is_neutral(node, x, c):
        return None
    exact = not x.dtype.is_float or (x.dtype.base.name == "float16" and _keeps_signs(node, c))
    require(exact, "floats: denormal numbers or the sign of 0 may change", at=node)
    require(keeps_shape(c, x), "broadcasting may enlarge the shape", at=node)
    return x


@rewrite(_PATTERN, effect=Effect.ROUNDING)
def remove_neutral_float_element(new: Builder, node: Node, x: Value, c: Array) -> Value | None:
    """x · 1 = x / 1 = x + 0 = x − 0 = x for floats, up to denormal numbers and the sign of 0.

    Before:
        x = input(float32[?,4])
        one = const(float32, [1, 1, 1, 1])
        m = Mul(one, x)
        y = Relu(m)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Before:
        x = input(float32[?,4])
        zero = const(float32, 0)
        s = Sub(x, zero)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: broadcasting may enlarge the shape.
    Source: Grappler's constant folding (SimplifyArithmeticOperations). TensorFlow's threads turn denormal numbers into
    0 in any arithmetic; without it they pass.
    """
    if not x.dtype.is_float or not _is_neutral(node, x, c):
        return None
    require(keeps_shape(c, x), "broadcasting may enlarge the shape", at=node)
    return x


def _is_neutral(node: Node, x: Value, c: Array) -> bool:
    # FloorDiv by 1 rounds floats down; complex numbers with an infinite part become NaN; strings are joined by Add.
    usable = x.dtype.is_integer or x.dtype.base.name == "bool" or (x.dtype.is_float and node.op != "FloorDiv")
    return usable and bool((c == _NEUTRAL.get(node.op, 1)).all())


def _keeps_signs(node: Node, c: Array) -> bool:
    """Whether −0 stays −0: −0 + 0 and −0 − (−0) are 0."""
    if node.op not in ("Add", "AddV2", "Sub"):
        return True
    return bool(np.all(np.signbit(c) == (node.op != "Sub")))
