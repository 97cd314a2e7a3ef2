"""Logarithms and exponentials next to 1 → the op that computes both at once, and more exactly."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.elementwise import is_filled_with
from tfpare.rewrites.static_values import keeps_shape


@rewrite(op("Log", op("Add | AddV2", any_("x"), const("one"), bind="add"), bind="log"), effect=Effect.ROUNDING)
def replace_log_by_log1p(new: Builder, log: Node, add: Node, x: Value, one: Array) -> Value | None:
    """log(1 + x) = Log1p(x).

    Before:
        a = input(float32[?,4])
        x = Square(a)
        one = const(float32, 1)
        s = AddV2(one, x)
        y = Log(s)
        return y

    After:
        a = input(float32[?,4])
        x = Square(a)
        y = Log1p(x)
        return y

    Declines when: broadcasting may enlarge the shape; another node needs the sum. Complex numbers do not match.
    Source: Grappler's arithmetic optimizer (ConvertLog1p).
    """
    if not is_filled_with(one, 1):
        return None
    require(keeps_shape(one, x), "broadcasting may enlarge the shape", at=add)
    return new.op("Log1p", x, shape=x.shape)


@rewrite(op("Sub", op("Exp", any_("x"), bind="exp"), const("one"), bind="sub"), effect=Effect.ROUNDING)
def replace_exp_by_expm1(new: Builder, sub: Node, exp: Node, x: Value, one: Array) -> Value | None:
    """exp(x) − 1 = Expm1(x).

    Before:
        x = input(float32[?,4])
        e = Exp(x)
        one = const(float32, [1, 1, 1, 1])
        y = Sub(e, one)
        return y

    After:
        x = input(float32[?,4])
        y = Expm1(x)
        return y

    Declines when: broadcasting may enlarge the shape; another node needs the exponential. Complex numbers do not match.
    Source: Grappler's arithmetic optimizer (ConvertExpm1).
    """
    if not is_filled_with(one, 1):
        return None
    require(keeps_shape(one, x), "broadcasting may enlarge the shape", at=sub)
    return new.op("Expm1", x, shape=x.shape)
