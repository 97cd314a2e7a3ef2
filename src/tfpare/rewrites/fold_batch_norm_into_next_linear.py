"""Batch norm with stored statistics before a convolution without padding → its kernel and a bias."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.fold_batch_norm_into_linear import FUSED, Statistics
from tfpare.rewrites.fold_mul_into_linear import input_scale
from tfpare.rewrites.linear import linear, summed
from tfpare.rewrites.padding import pads_nothing


@rewrite(
    op(
        "Conv2D | DepthwiseConv2dNative",
        op(FUSED, any_("x"), const("gamma"), const("beta"), const("mean"), const("variance"), bind="bn"),
        const("kernel"),
        bind="conv",
    ),
    effect=Effect.ROUNDING,
    after=("fold_batch_norm_into_linear", "fold_batch_norm_into_biased_linear"),
)
def fold_batch_norm_into_next_linear(
    new: Builder,
    conv: Node,
    bn: Node,
    x: Value,
    gamma: Array,
    beta: Array,
    mean: Array,
    variance: Array,
    kernel: Array,
    kernel_value: Value,
) -> Value:
    """conv(bn(x), K) = conv(x, K·s) + Σ K·t, where bn(x) = x·s + t.

    Before:
        x = input(float32[?,8,8,3])
        gamma = const(float32[3])
        beta = const(float32[3])
        mean = const(float32[3])
        variance = const(float32[3])
        n = FusedBatchNormV3(x, gamma, beta, mean, variance, is_training=false)
        k = const(float32[1,1,3,4])
        y = Conv2D(n, k, strides=[1,1,1,1], padding=SAME)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[1,1,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        b = const(float32[4])
        y = BiasAdd(conv, b)
        return y

    Declines when: the convolution pads (zeros would have to become −t/s); it is grouped; layouts or dtypes differ;
    another node reads the batch norm; as fold_batch_norm_into_linear.
    Source: the same algebra as fold_batch_norm_into_linear; the Graph Transform Tool leaves it.
    """
    require(not bn["is_training"], "batch norm computes its own statistics", at=bn)
    require(bn["data_format"] == conv["data_format"], "layouts differ", at=bn)
    require(pads_nothing(conv, kernel.shape[:2]), "the convolution pads", at=conv)
    require(np.isfinite(kernel).all(), "the kernel holds NaN or infinity", at=conv)
    scale, shift = Statistics(gamma, beta, mean, variance, float(bn["epsilon"])).affine(bn)  # type: ignore[arg-type]
    owner = linear(conv)
    form = (1, -1, 1, 1) if conv["data_format"] == "NCHW" else (1, 1, 1, -1)
    scaled_kernel = kernel * input_scale(owner, scale.reshape(form), x, bn)
    bias = summed(owner, kernel * input_scale(owner, shift.reshape(form), x, bn))
    return owner.bias(new, new.like(conv, x, new.const(scaled_kernel, kernel_value)), bias)
