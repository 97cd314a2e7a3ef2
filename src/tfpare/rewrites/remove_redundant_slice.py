"""Slices that take everything → gone."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(op("Slice", any_("x"), const("begin"), const("size"), bind="slice_"), effect=Effect.EXACT)
def remove_redundant_slice(new: Builder, slice_: Node, x: Value, begin: Array, size: Array) -> Value:
    """Slice(x, [0, …], [all, …]) = x.

    Before:
        x = input(float32[?,8])
        begin = const(int32, [0, 0])
        size = const(int32, [-1, 8])
        s = Slice(x, begin, size)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: it leaves elements out, or may do so.
    Source: Grappler's constant folding (SimplifySlice).
    """
    dims = x.shape.dims or (None,) * size.size
    whole = all(s in (-1, d) for s, d in zip(size.tolist(), dims, strict=True))
    require(not begin.any() and whole, "it may leave elements out", at=slice_)
    return x


@rewrite(
    op("StridedSlice", any_("x"), const("begin"), const("end"), const("strides"), bind="slice_"), effect=Effect.EXACT
)
def remove_redundant_strided_slice(
    new: Builder, slice_: Node, x: Value, begin: Array, end: Array, strides: Array
) -> Value | None:
    """x[:, :, …] = x.

    Before:
        x = input(float32[?,8])
        begin = const(int32, [0, 0])
        end = const(int32, [0, 8])
        strides = const(int32, [1, 1])
        s = StridedSlice(x, begin, end, strides, end_mask=1)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: it steps; it leaves elements out, or may do so.
    Source: Grappler's constant folding (SimplifyStridedSlice).
    """
    if slice_["new_axis_mask"] or slice_["shrink_axis_mask"]:
        return None
    ellipsis = _bits(slice_, "ellipsis_mask", begin.size)
    require((strides == 1)[~ellipsis].all(), "it steps", at=slice_)
    starts = _bits(slice_, "begin_mask", begin.size) | (begin == 0) | ellipsis
    ends = _bits(slice_, "end_mask", begin.size) | ellipsis
    reach = [e or _reaches(k, int(end[k]), ellipsis, x) for k, e in enumerate(ends.tolist())]
    require(starts.all() and all(reach), "it may leave elements out", at=slice_)
    return x


def _bits(node: Node, mask: str, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    value = node[mask]
    assert isinstance(value, int)
    return np.array([value >> k & 1 for k in range(count)], bool)


def _reaches(position: int, end: int, ellipsis: np.ndarray[tuple[int], np.dtype[np.bool_]], x: Value) -> bool:
    """Whether `end` lies at or beyond the end of the axis that `position` of the slice is about."""
    axis = position - ellipsis.size if ellipsis[:position].any() else position
    dims = x.shape.dims or ()
    size = dims[axis] if -len(dims) <= axis < len(dims) else None
    return size is not None and end >= size
