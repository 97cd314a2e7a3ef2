"""A scale after zero padding → before it."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR, linear, per_channel


@rewrite(
    op("Mul", op("Pad", op(LINEAR, bind="linear_node"), const("p"), bind="pad"), const("c"), bind="mul"),
    effect=Effect.EXACT,
)
def move_mul_before_pad(
    new: Builder, mul: Node, pad: Node, linear_node: Node, p_value: Value, p: Array, c: Array
) -> Value:
    """Pad(linear(x, K))·c = Pad(linear(x, K)·c): zeros stay zeros; a shift would not be exact at the border.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        p = const(int32, [[0,0],[1,1],[1,1],[0,0]])
        padded = Pad(conv, p)
        c = const(float32[4])
        y = Mul(padded, c)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[4])
        m = Mul(conv, c)
        p = const(int32, [[0,0],[1,1],[1,1],[0,0]])
        y = Pad(m, p)
        return y

    Declines when: channels are padded; c varies along another dimension, is not finite or holds a negative number
    (which would turn the border into −0); another node reads the padded tensor.
    Source: batch norm through Pad.
    """
    owner = linear(linear_node)
    scale = per_channel(c, owner, mul)
    require(np.isfinite(scale).all() and (scale >= 0).all(), "the constant is negative or not finite", at=mul)
    axis = owner.rank - 1 if owner.channels_last else 1
    require(p.shape == (owner.rank, 2) and not p[axis].any(), "channels are padded", at=pad)
    shape = [1] * owner.rank
    shape[axis] = -1
    factor = scale.reshape(shape) if scale.ndim and not owner.channels_last else scale
    return new.like(pad, new.op("Mul", linear_node.out(), new.const(factor), shape=linear_node.shapes[0]), p_value)
