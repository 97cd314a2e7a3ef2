"""Computed axes of a reduction that takes every axis → constant axes."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite

REDUCTIONS = "Sum | Prod | Max | Min | Mean | All | Any"


@rewrite(op(REDUCTIONS, any_("x"), any_("axes"), bind="reduction"), effect=Effect.EXACT)
def fold_reduction_indices(new: Builder, reduction: Node, x: Value, axes: Value) -> Value | None:
    """Sum(x, axes) = Sum(x, [0, 1, …]), where there are as many axes as dimensions, or the result is a scalar.

    An axis that is named twice, or does not exist, made the call fail; it may now answer.

    Before:
        x = input(float32)
        axes = input(int32[0])
        y = Sum(x, axes)
        return y

    After:
        x = input(float32)
        axes = const(int32, [])
        y = Sum(x, axes)
        return y

    Declines when: it may leave an axis out; the axes are computed with an effect, which would be lost.
    Source: Grappler's constant folding (MaterializeReductionIndices).
    """
    if new.constant_of(axes) is not None:
        return None
    rank = x.shape.rank
    scalar = reduction.out().shape.rank == 0 and not reduction["keep_dims"]
    require(rank is not None and (axes.shape.size == rank or scalar), "it may leave an axis out", at=reduction)
    require(not new.has_effect(axes), "the axes are computed with an effect", at=reduction)
    return new.like(reduction, x, new.ints(list(range(rank or 0)), axes))
