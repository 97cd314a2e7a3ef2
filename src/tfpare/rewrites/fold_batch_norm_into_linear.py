"""Batch norm with stored statistics after a linear op → its kernel and a bias."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite
from tfpare.rewrites.linear import CONVOLUTIONS, Linear, linear

FUSED = "FusedBatchNorm | FusedBatchNormV2 | FusedBatchNormV3"
CONV = f"{CONVOLUTIONS} | Conv2DBackpropInput"


@rewrite(
    op(FUSED, op(CONV, bind="conv"), const("gamma"), const("beta"), const("mean"), const("variance"), bind="bn"),
    effect=Effect.ROUNDING,
)
def fold_batch_norm_into_linear(
    new: Builder, bn: Node, conv: Node, gamma: Array, beta: Array, mean: Array, variance: Array
) -> Value:
    """bn(conv(x, K)) = conv(x, K·s) + (beta − mean·s), s = gamma / sqrt(variance + epsilon)  [channels].

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        gamma = const(float32[4])
        beta = const(float32[4])
        mean = const(float32[4])
        variance = const(float32[4])
        y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        b = const(float32[4])
        y = BiasAdd(conv, b)
        return y

    Declines when: is_training (batch statistics); layouts differ; another output of the batch norm or the convolution
    itself is read elsewhere; a statistic is not constant or not finite; variance + epsilon ≤ 0.
    Source: FusedBatchNorm op pages; the Graph Transform Tool's fold_old_batch_norms, TensorFlow's
    optimize_for_inference, INC's fold_batch_norm.
    """
    return fold(new, bn, linear(conv), None, Statistics(gamma, beta, mean, variance, float(bn["epsilon"])))  # type: ignore[arg-type]


@rewrite(
    op(
        FUSED,
        op("BiasAdd", op(CONV, bind="conv"), const("b"), bind="bias"),
        const("gamma"),
        const("beta"),
        const("mean"),
        const("variance"),
        bind="bn",
    ),
    effect=Effect.ROUNDING,
)
def fold_batch_norm_into_biased_linear(
    new: Builder,
    bn: Node,
    bias: Node,
    conv: Node,
    b: Array,
    gamma: Array,
    beta: Array,
    mean: Array,
    variance: Array,
) -> Value:
    """bn(conv(x, K) + b) = conv(x, K·s) + (beta + (b − mean)·s), s = gamma / sqrt(variance + epsilon)  [channels].

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)
        b = const(float32[6])
        biased = BiasAdd(conv, b)
        gamma = const(float32[6])
        beta = const(float32[6])
        mean = const(float32[6])
        variance = const(float32[6])
        y = FusedBatchNorm(biased, gamma, beta, mean, variance, is_training=false)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,2])
        conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)
        b = const(float32[6])
        y = BiasAdd(conv, b)
        return y

    Declines when: as fold_batch_norm_into_linear; the bias is not constant.
    Source: as fold_batch_norm_into_linear, which none of these tools does with a bias in between.
    """
    require(bias["data_format"] == bn["data_format"], "layouts differ", at=bias)
    return fold(new, bn, linear(conv), b, Statistics(gamma, beta, mean, variance, float(bn["epsilon"])))  # type: ignore[arg-type]


@rewrite(
    op(
        "BatchNormWithGlobalNormalization",
        op(CONV, bind="conv"),
        const("mean"),
        const("variance"),
        const("beta"),
        const("gamma"),
        bind="bn",
    ),
    effect=Effect.ROUNDING,
)
def fold_global_batch_norm_into_linear(
    new: Builder, bn: Node, conv: Node, mean: Array, variance: Array, beta: Array, gamma: Array
) -> Value:
    """As fold_batch_norm_into_linear for the op of TensorFlow 0.x; gamma counts only if scale_after_normalization.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        m = const(float32[4])
        v = const(float32[4])
        b = const(float32[4])
        g = const(float32[4])
        y = BatchNormWithGlobalNormalization(conv, m, v, b, g, variance_epsilon=0.001, scale_after_normalization=true)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        b = const(float32[4])
        y = BiasAdd(conv, b)
        return y

    Declines when: as fold_batch_norm_into_linear.
    Source: the Graph Transform Tool's fold_old_batch_norms.
    """
    if not bn["scale_after_normalization"]:
        gamma = np.ones_like(mean)
    return fold(new, bn, linear(conv), None, Statistics(gamma, beta, mean, variance, float(bn["variance_epsilon"])))  # type: ignore[arg-type]


class Statistics:
    """gamma, beta, mean, variance: float64 [channels]; epsilon."""

    def __init__(self, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float) -> None:
        self.gamma, self.beta, self.mean, self.variance, self.epsilon = gamma, beta, mean, variance, epsilon

    def affine(self, at: Node) -> tuple[Array, Array]:
        """The batch norm as x·scale + shift.

        Raises:
            Declined: a statistic is not finite, sizes differ, or the variance is not positive.
        """
        arrays = (self.gamma, self.beta, self.mean, self.variance)
        require(len({a.size for a in arrays}) == 1, "the statistics differ in size", at=at)
        require(all(np.isfinite(a).all() for a in arrays), "a statistic holds NaN or infinity", at=at)
        require((self.variance + self.epsilon > 0).all(), "variance + epsilon is not positive", at=at)
        scale = self.gamma / np.sqrt(self.variance + self.epsilon)
        return scale, self.beta - self.mean * scale


def fold(new: Builder, bn: Node, owner: Linear, b: Array | None, statistics: Statistics) -> Value:
    """The linear op with batch norm folded in.

    Raises:
        Declined: see the rules' docstrings.
    """
    require(not bn.get("is_training", False), "batch norm computes its own statistics", at=bn)
    layout = str(bn.get("data_format", "NHWC"))
    require(layout.endswith("C") == owner.channels_last and len(layout) == owner.rank, "layouts differ", at=bn)
    scale, shift = statistics.affine(bn)
    require(scale.size in (1, owner.channels), "the statistics differ in size from the channels", at=bn)
    require(np.isfinite(owner.kernel).all(), "the kernel holds NaN or infinity", at=owner.node)
    kernel = owner.scaled(scale.reshape(()) if scale.size == 1 else scale)
    if b is not None:
        shift = shift + b * scale
    return owner.bias(new, owner.rebuild(new, kernel), shift)
