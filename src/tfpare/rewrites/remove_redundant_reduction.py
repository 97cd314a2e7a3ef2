"""Reductions over nothing, or over dimensions of 1 → gone, or a Squeeze."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.fold_reduction_indices import REDUCTIONS


@rewrite(op(REDUCTIONS, any_("x"), const("axes"), bind="reduction"), effect=Effect.EXACT)
def remove_redundant_reduction(new: Builder, reduction: Node, x: Value, axes: Array) -> Value:
    """Sum(x, []) = x; Sum over axes of size 1 = x with, or without, these axes.

    Likewise Prod, Max, Min, Mean, All and Any. The kernels copy a single element as it is, also NaN, −0 and denormal
    numbers.

    Before:
        x = input(float32[?,1,4])
        axis = const(int32, [1])
        m = Mean(x, axis, keep_dims=true)
        y = Relu(m)
        return y

    After:
        x = input(float32[?,1,4])
        y = Relu(x)
        return y

    Before:
        x = input(float32[?,1,4])
        axis = const(int32, -2)
        y = Sum(x, axis)
        return y

    After:
        x = input(float32[?,1,4])
        y = Squeeze(x, squeeze_dims=[1])
        return y

    Declines when: a dimension that goes is not known to be 1; an axis does not exist or is named twice.
    Source: Grappler's constant folding (SimplifyReduction).
    """
    if axes.size == 0:
        return x
    dims = x.shape.dims or ()
    given = [int(a) for a in axes.ravel()]
    inside = x.shape.dims is not None and all(-len(dims) <= a < len(dims) for a in given)
    require(inside, "an axis does not exist, or the rank is unknown", at=reduction)
    places = sorted({a % len(dims) for a in given})
    require(len(places) == len(given), "an axis is named twice", at=reduction)
    require(all(dims[a] == 1 for a in places), "a dimension is not known to be 1", at=reduction)
    return x if reduction["keep_dims"] else new.op("Squeeze", x, squeeze_dims=tuple(places))
