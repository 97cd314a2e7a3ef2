"""A multiplication by constants after a linear op → its kernel."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR, Linear, linear, per_channel


@rewrite(op("Mul", op(LINEAR, bind="linear_node"), const("c"), bind="mul"), effect=Effect.ROUNDING)
def fold_mul_into_linear(new: Builder, mul: Node, linear_node: Node, c: Array) -> Value:
    """linear(x, K)·c = linear(x, K·c), with one c per output channel or for all.

    Linear is Conv2D, Conv3D, DepthwiseConv2dNative, Conv2DBackpropInput (transposed convolution) or MatMul.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[1,1,1,4])
        y = Mul(conv, c)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        return y

    Before, with a matrix that is read transposed:
        x = input(float32[?,5])
        k = const(float32[5,5])
        m = MatMul(x, k, transpose_b=true)
        c = const(float32[5])
        y = Mul(c, m)
        return y

    After:
        x = input(float32[?,5])
        k = const(float32[5,5])
        y = MatMul(x, k, transpose_b=true)
        return y

    Declines when: another node reads the linear op; its kernel is not constant; c varies along another dimension or
    would enlarge the result; c or the kernel holds NaN or infinity; the scaled kernel leaves the dtype's range.
    Source: the Graph Transform Tool's fold_batch_norms, Grappler's constant folding (Mul into conv).
    """
    owner = linear(linear_node)
    return owner.rebuild(new, scaled(owner, c, mul))


@rewrite(op("RealDiv", op(LINEAR, bind="linear_node"), const("c"), bind="div"), effect=Effect.ROUNDING)
def fold_div_into_linear(new: Builder, div: Node, linear_node: Node, c: Array) -> Value:
    """linear(x, K)/c = linear(x, K/c), with one c per output channel or for all.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[6])
        y = RealDiv(conv, c)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        y = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)
        return y

    Declines when: as fold_mul_into_linear, or c holds a zero.
    Source: INC's decomposed batch-norm fusion; the Graph Transform Tool stops with an error here.
    """
    require((c != 0).all(), "the divisor holds a zero", at=div)
    owner = linear(linear_node)
    return owner.rebuild(new, scaled(owner, 1 / c, div))


@rewrite(
    op("Mul | RealDiv", op("BiasAdd", op(LINEAR, bind="linear_node"), const("b"), bind="bias"), const("c"), bind="mul"),
    effect=Effect.ROUNDING,
)
def fold_mul_into_biased_linear(
    new: Builder, mul: Node, bias: Node, linear_node: Node, b: Array, c: Array
) -> Value | None:
    """(linear(x, K) + b)·c = linear(x, K·c) + b·c, likewise /c.

    Before:
        x = input(float32[?,3,8,8])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)
        b = const(float32[4])
        biased = BiasAdd(conv, b, data_format=NCHW)
        c = const(float32[4,1,1])
        y = Mul(biased, c)
        return y

    After:
        x = input(float32[?,3,8,8])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)
        b = const(float32[4])
        y = BiasAdd(conv, b, data_format=NCHW)
        return y

    Declines when: as fold_mul_into_linear and fold_div_into_linear; the bias has another layout.
    Source: Grappler's constant push-down through BiasAdd.
    """
    owner = linear(linear_node)
    if mul.inputs[0].node is not bias and mul.op == "RealDiv":
        return None
    require(owner.has_layout_of(bias), "layouts differ", at=bias)
    if mul.op == "RealDiv":
        require((c != 0).all(), "the divisor holds a zero", at=mul)
        c = 1 / c
    kernel = scaled(owner, c, mul)
    return owner.bias(new, owner.rebuild(new, kernel), b * per_channel(c, owner, mul))


def scaled(owner: Linear, c: Array, at: Node) -> Array:
    """The kernel times c.

    Raises:
        Declined: c does not vary by output channel, or something is not finite.
    """
    scale = per_channel(c, owner, at)
    require(np.isfinite(scale).all(), "the constant holds NaN or infinity", at=at)
    require(np.isfinite(owner.kernel).all(), "the kernel holds NaN or infinity", at=owner.node)
    return owner.scaled(scale)


@rewrite(
    op(LINEAR, op("Mul | RealDiv", any_("x"), const("c"), bind="mul"), const("kernel"), bind="linear_node"),
    effect=Effect.ROUNDING,
    after=("fold_mul_into_linear",),
)
def fold_mul_into_next_linear(
    new: Builder, linear_node: Node, mul: Node, x: Value, kernel: Array, kernel_value: Value, c: Array
) -> Value:
    """linear(x·c, K) = linear(x, K·c), with one c per input channel or for all; right for any padding; likewise x/c.

    Before:
        x = input(float32[?,8,8,3])
        c = const(float32[3])
        m = Mul(x, c)
        k = const(float32[3,3,3,4])
        y = Conv2D(m, k, strides=[1,1,1,1], padding=SAME)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        return y

    Declines when: another node reads the product; c varies along another dimension or enlarges x; the convolution is
    grouped and c varies by channel; a constant holds NaN or infinity.
    Source: Grappler's arithmetic optimizer (multiply into conv), for scalars only there.
    """
    require(linear_node.op != "Conv2DBackpropInput", "the product sets the size of the result", at=linear_node)
    owner = linear(linear_node)
    if mul.op == "RealDiv":
        require((c != 0).all(), "the divisor holds a zero", at=mul)
        c = 1 / c
    scale = input_scale(owner, c, x, mul)
    require(np.isfinite(scale).all() and np.isfinite(kernel).all(), "a constant holds NaN or infinity", at=mul)
    return new.like(linear_node, x, new.const(kernel * scale, kernel_value))


def input_scale(owner: Linear, c: Array, x: Value, at: Node) -> Array:
    """c in a shape that multiplies the kernel along its input channels.

    Raises:
        Declined: c varies along another dimension, enlarges x, or the convolution is grouped.
    """
    rank = x.shape.rank
    if c.ndim == 0:
        return c
    require(rank == owner.rank and c.ndim <= owner.rank, "the rank of the input is not known", at=at)
    if c.size == 1:
        return c.reshape(())
    last = owner.rank == 2 or owner.channels_last
    axis = c.ndim - 1 if last else c.ndim - (owner.rank - 1)
    require(axis >= 0 and c.shape[axis] == c.size, "the constant does not vary by input channel alone", at=at)
    require(not owner.node.get("transpose_a", False), "the matrix is read transposed", at=owner.node)
    kernel_axis = _input_axis(owner)
    require(owner.kernel.shape[kernel_axis] == c.size, "the convolution is grouped", at=owner.node)
    shape = [1] * owner.kernel.ndim
    shape[kernel_axis] = c.size
    return c.reshape(shape)


def _input_axis(owner: Linear) -> int:
    if owner.node.op == "MatMul":
        return 1 if owner.node["transpose_b"] else 0
    return owner.kernel.ndim - 2
