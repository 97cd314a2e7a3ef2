"""Squeeze and ExpandDims that undo each other, or that find nothing to squeeze → gone."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import axis_of


@rewrite(op("Squeeze", any_("x"), bind="squeeze"), effect=Effect.EXACT)
def remove_redundant_squeeze(new: Builder, squeeze: Node, x: Value) -> Value:
    """Squeeze(x) = x, where x has no dimension of 1.

    Before:
        x = input(float32[3,4])
        s = Squeeze(x)
        y = Relu(s)
        return y

    After:
        x = input(float32[3,4])
        y = Relu(x)
        return y

    Declines when: it names dimensions; x has, or may have, a dimension of 1.
    Source: Grappler's remapper and arithmetic optimizer leave this; the Squeeze op page.
    """
    require(squeeze["squeeze_dims"] == (), "it names the dimensions that it removes", at=squeeze)
    dims = x.shape.dims
    require(dims is not None and all(d not in (None, 1) for d in dims), "a dimension may be 1", at=squeeze)
    return x


@rewrite(
    op("Squeeze", op("ExpandDims", any_("x"), const("axis"), bind="expand"), bind="squeeze"),
    effect=Effect.EXACT,
    shares=("expand",),
)
def remove_squeezed_expand_dims(new: Builder, squeeze: Node, expand: Node, x: Value, axis: Array) -> Value:
    """Squeeze(ExpandDims(x, axis), [axis]) = x.

    Before:
        x = input(float32[?,4])
        axis = const(int32, -1)
        e = ExpandDims(x, axis)
        s = Squeeze(e, squeeze_dims=[2])
        y = Relu(s)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: another dimension is squeezed, or the axes cannot be compared because the rank is unknown.
    Source: Grappler's arithmetic optimizer; the op pages.
    """
    rank = None if x.shape.rank is None else x.shape.rank + 1
    require(_squeezed(squeeze, rank) == axis_of(axis, rank), "not the dimension that was added", at=squeeze)
    return x


@rewrite(
    op("ExpandDims", op("Squeeze", any_("x"), bind="squeeze"), const("axis"), bind="expand"),
    effect=Effect.EXACT,
    shares=("squeeze",),
)
def remove_expanded_squeeze(new: Builder, squeeze: Node, expand: Node, x: Value, axis: Array) -> Value:
    """ExpandDims(Squeeze(x, [axis]), axis) = x.

    Before:
        x = input(float32[?,1,4])
        axis = const(int32, 1)
        s = Squeeze(x, squeeze_dims=[1])
        e = ExpandDims(s, axis)
        y = Relu(e)
        return y

    After:
        x = input(float32[?,1,4])
        y = Relu(x)
        return y

    Declines when: another dimension is added, or the axes cannot be compared because the rank is unknown.
    Source: Grappler's arithmetic optimizer; the op pages.
    """
    rank = x.shape.rank
    require(_squeezed(squeeze, rank) == axis_of(axis, rank), "not the dimension that was removed", at=expand)
    return x


def _squeezed(squeeze: Node, rank: int | None) -> int | None:
    """The one dimension that a Squeeze names."""
    dims = squeeze["squeeze_dims"]
    if not isinstance(dims, tuple) or len(dims) != 1 or not isinstance(dims[0], int):
        return None
    return dims[0] + rank if dims[0] < 0 and rank is not None else dims[0]
