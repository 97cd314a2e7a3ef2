"""Batch norm as small operations, with statistics of any source → one FusedBatchNormV3."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, dtype, op, require
from tfpare.compat.rules import transform_rewrite

_SCALE = op("Mul", op("Rsqrt", op("Add | AddV2", any_("variance"), const("epsilon"))), any_("gamma"), bind="scale")


@transform_rewrite(
    op(
        "Add | AddV2",
        op("Mul", any_("x"), _SCALE),
        op("Sub", any_("beta"), op("Mul", any_("mean"), _SCALE)),
        bind="total",
    ),
    effect=Effect.ROUNDING,
)
def fuse_normalization_arithmetic(
    new: Builder, total: Node, x: Value, gamma: Value, beta: Value, mean: Value, variance: Value, epsilon: Array
) -> Value | None:
    """x·s + (beta − mean·s) = bn(x, gamma, beta, mean, variance) with s = gamma / sqrt(variance + epsilon).

    Before:
        x = input(float32[2,4,4,3])
        mean = input(float32[3])
        variance = const(float32[3])
        epsilon = const(float32, 0.0009765625)
        a = AddV2(variance, epsilon)
        r = Rsqrt(a)
        gamma = const(float32[3])
        s = Mul(r, gamma)
        scaled = Mul(x, s)
        beta = const(float32[3])
        m = Mul(mean, s)
        shift = Sub(beta, m)
        y = AddV2(scaled, shift)
        return y

    After:
        x = input(float32[2,4,4,3])
        gamma = const(float32[3])
        beta = const(float32[3])
        mean = input(float32[3])
        variance = const(float32[3])
        y = FusedBatchNormV3(x, gamma, beta, mean, variance, is_training=false, epsilon=0.0009765625)
        return y

    Declines when: x has not four dimensions, or is not float32; statistics are not known to have one number for each
    last position of x (those with leading dimensions of 1 are squeezed); epsilon is no positive number; a constant
    statistic holds NaN or infinity; another node reads an inner node.
    Source: the Graph Transform Tool's fold_batch_norms_algebraic, which makes a node of an op that TensorFlow does not
    have; tf.nn.batch_normalization writes this arithmetic.
    """
    if epsilon.size != 1:  # the order of the sum is not known: this is the variance
        return None
    dims = x.shape.dims
    require(x.dtype == dtype("float32"), "the dtype is not float32", at=total)
    require(dims is not None and len(dims) == 4 and dims[3], "the input has not four known dimensions", at=total)
    assert dims is not None
    require(np.all(np.isfinite(epsilon) & (epsilon > 0)), "epsilon is not positive", at=total)
    statistics = [_vector(new, v, dims[3], total) for v in (gamma, beta, mean, variance)]
    return new.op(
        "FusedBatchNormV3",
        x,
        *statistics,
        shape=total.shapes[0],
        epsilon=float(epsilon.reshape(())),
        is_training=False,
    )


def _vector(new: Builder, value: Value, channels: int | None, at: Node) -> Value:
    """A statistic as [channels].

    Raises:
        Declined: it has another shape.
    """
    dims = value.shape.dims
    require(dims and dims[-1] == channels and value.shape.size == channels, "a statistic has another shape", at=at)
    assert dims
    constant = new.constant_of(value)
    finite = constant is None or np.isfinite(constant.astype(np.float64)).all()
    require(finite, "a statistic holds NaN or infinity", at=at)
    return value if len(dims) == 1 else new.op("Squeeze", value, squeeze_dims=tuple(range(len(dims) - 1)))
