"""A constant addition before a linear op without padding → a bias after it."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.fold_mul_into_linear import input_scale
from tfpare.rewrites.linear import linear, summed
from tfpare.rewrites.padding import pads_nothing


@rewrite(
    op(
        "MatMul | Conv2D | DepthwiseConv2dNative",
        op("Add | AddV2 | Sub", any_("x"), const("c"), bind="add"),
        const("kernel"),
        bind="linear_node",
    ),
    effect=Effect.ROUNDING,
    after=("fold_mul_into_linear",),
)
def fold_add_into_next_linear(
    new: Builder, linear_node: Node, add: Node, x: Value, kernel: Array, c: Array
) -> Value | None:
    """linear(x + c, K) = linear(x, K) + linear(c, K), with one c per input channel or for all.

    Before:
        x = input(float32[?,5])
        c = const(float32[5])
        a = AddV2(x, c)
        k = const(float32[5,4])
        y = MatMul(a, k)
        return y

    After:
        x = input(float32[?,5])
        k = const(float32[5,4])
        m = MatMul(x, k)
        b = const(float32[4])
        y = BiasAdd(m, b)
        return y

    Declines when: the convolution pads (the padding would not get c); another node reads the sum; the convolution is
    grouped and c varies by channel; c varies along another dimension; a constant holds NaN or infinity.
    Source: batch norm before a dense layer, which no other tool folds.
    """
    if add.op == "Sub" and add.inputs[0] != x:
        return None
    plain = linear_node.op == "MatMul" or pads_nothing(linear_node, kernel.shape[:2])
    require(plain, "the convolution pads", at=linear_node)
    require(not linear_node.get("transpose_a", False), "the matrix is read transposed", at=linear_node)
    require(x.shape.rank is not None, "the rank of the input is not known", at=add)
    owner = linear(linear_node)
    shift = input_scale(owner, -c if add.op == "Sub" else c, x, add)
    require(np.isfinite(shift).all() and np.isfinite(kernel).all(), "a constant holds NaN or infinity", at=add)
    value = new.like(linear_node, x, linear_node.inputs[1])
    return owner.bias(new, value, summed(owner, kernel * shift))
