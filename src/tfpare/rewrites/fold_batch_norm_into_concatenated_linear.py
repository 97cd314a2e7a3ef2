"""Batch norm with stored statistics after a concatenation of linear ops → their kernels and biases."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite
from tfpare.rewrites.fold_batch_norm_into_linear import CONV, FUSED, Statistics, fold
from tfpare.rewrites.linear import Linear, linear
from tfpare.rewrites.static_values import axis_of


@rewrite(
    op(
        FUSED,
        op("ConcatV2", bind="concat"),
        const("gamma"),
        const("beta"),
        const("mean"),
        const("variance"),
        bind="bn",
    ),
    effect=Effect.ROUNDING,
)
def fold_batch_norm_into_concatenated_linear(
    new: Builder, bn: Node, concat: Node, gamma: Array, beta: Array, mean: Array, variance: Array
) -> Value:
    """bn(concat(conv(x, K), conv(z, L), …)) = concat(conv(x, K·s) + b, conv(z, L·t) + c, …).

    Along the channels each part has its own piece of the statistics; along another axis all have the same.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        l = const(float32[1,1,3,3])
        other = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)
        b = const(float32[3])
        biased = BiasAdd(other, b)
        axis = const(int32, -1)
        both = ConcatV2(conv, biased, axis, N=2)
        gamma = const(float32[5])
        beta = const(float32[5])
        mean = const(float32[5])
        variance = const(float32[5])
        y = FusedBatchNormV3(both, gamma, beta, mean, variance, is_training=false)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        a = const(float32[2])
        first = BiasAdd(conv, a)
        l = const(float32[1,1,3,3])
        other = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)
        b = const(float32[3])
        second = BiasAdd(other, b)
        axis = const(int32, -1)
        y = ConcatV2(first, second, axis, N=2)
        return y

    Declines when: as fold_batch_norm_into_linear; a part is no convolution (with or without a constant bias), or
    something else reads it; the axis is not constant.
    Source: the Graph Transform Tool's fold_old_batch_norms, for two parts.
    """
    layout, axis = str(bn.get("data_format", "NHWC")), new.constant_of(concat.inputs[-1])
    require(axis is not None, "the axis is not constant", at=concat)
    assert axis is not None
    parts = [_part(new, value, concat) for value in concat.inputs[:-1]]
    bounds = np.cumsum([owner.channels for owner, _ in parts])
    along_channels = axis_of(axis, len(layout)) == layout.index("C")
    require(not along_channels or bounds[-1] == gamma.size, "the statistics differ in size from the channels", at=bn)
    arrays, values = (gamma, beta, mean, variance), list[Value]()
    for (owner, bias), end in zip(parts, bounds, strict=True):
        piece = slice(end - owner.channels, end) if along_channels else slice(None)
        one = Statistics(*(a[piece] for a in arrays), epsilon=float(bn["epsilon"]))  # type: ignore[arg-type]
        values.append(fold(new, bn, owner, bias, one))
    return new.like(concat, *values, concat.inputs[-1], shape=bn.shapes[0])


def _part(new: Builder, value: Value, concat: Node) -> tuple[Linear, Array | None]:
    """The convolution behind one part of a concatenation, and the bias between them.

    Raises:
        Declined: something else, or something that other nodes need.
    """
    bias = new.producer(value, "BiasAdd")
    b = new.constant_of(bias.inputs[1]) if bias is not None else None
    source = value if bias is None else bias.inputs[0]
    node = new.producer(source, CONV)
    require(value.index == 0 and node is not None, "a part is no convolution", at=concat)
    require(bias is None or b is not None, "a bias is not constant", at=concat)
    assert node is not None
    free = new.can_absorb(value, by=concat) and (bias is None or new.can_absorb(source, by=bias))
    require(free, "another node reads a part", at=node)
    owner = linear(node)
    require(bias is None or owner.has_layout_of(bias), "layouts differ", at=node)
    require(new.constant_of(owner.kernel_value) is not None, "the kernel is not constant", at=node)
    return owner, None if b is None else b.astype(np.float64)
