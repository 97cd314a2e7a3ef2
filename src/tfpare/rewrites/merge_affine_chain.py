"""Scale, shift, scale with constants → scale, shift."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op(
        "Mul",
        op("Add | AddV2", op("Mul", any_("x"), const("a"), bind="inner"), const("b"), bind="add"),
        const("c"),
        bind="outer",
    ),
    effect=Effect.ROUNDING,
    after=("fold_mul_into_linear", "fold_mul_into_biased_linear"),
)
def merge_affine_chain(
    new: Builder, outer: Node, add: Node, inner: Node, x: Value, a: Array, b: Array, c: Array
) -> Value:
    """(x·a + b)·c = x·(a·c) + b·c.

    Before:
        x = input(float32[?,4])
        a = const(float32[4])
        m = Mul(x, a)
        b = const(float32[4])
        s = AddV2(m, b)
        c = const(float32[4])
        y = Mul(s, c)
        return y

    After:
        x = input(float32[?,4])
        a = const(float32[4])
        m = Mul(x, a)
        b = const(float32[4])
        y = AddV2(m, b)
        return y

    Declines when: the dtype is no float; the constants differ in shape (broadcasting could enlarge one of them); one
    holds NaN or infinity; another node reads an inner node.
    Source: Grappler's constant folding (push constants down).
    """
    require(outer.dtypes[0].is_float, "integers would overflow elsewhere", at=outer)
    shapes = {v.shape for v in (a, b, c) if v.ndim}
    require(len(shapes) <= 1, "the constants differ in shape", at=outer)
    require(all(np.isfinite(v).all() for v in (a, b, c)), "a constant holds NaN or infinity", at=outer)
    scaled = new.like(inner, x, new.const(a * c), shape=add.shapes[0])
    return new.like(add, scaled, new.const(b * c), shape=outer.shapes[0])
