"""One part of a Pack → the value that was packed there."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite


@rewrite(
    op("StridedSlice", op("Pack", bind="pack"), const("begin"), const("end"), const("step"), bind="part"),
    effect=Effect.EXACT,
    shares=("pack",),
)
def remove_stack_before_strided_slice(
    new: Builder, part: Node, pack: Node, begin: Array, end: Array, step: Array
) -> Value | None:
    """stack([a, b, c], axis)[…, k, …] = the k-th value.

    Before:
        a = input(float32[?,4])
        b = input(float32[?,4])
        p = Pack(a, b, axis=1)
        begin = const(int32, [0, 1])
        end = const(int32, [0, 2])
        step = const(int32, [1, 1])
        s = StridedSlice(p, begin, end, step, begin_mask=1, end_mask=1, shrink_axis_mask=2)
        y = Relu(s)
        return y

    After:
        b = input(float32[?,4])
        y = Relu(b)
        return y

    Declines when: it takes more than one value, or a part of one; the place is out of range; computing another value
    has an effect; the rank that a negative axis counts from is not known; it adds dimensions or has an ellipsis.
    Source: Grappler's arithmetic optimizer (RemoveStackSliceSameAxis).
    """
    plain = part["new_axis_mask"] == 0 and part["ellipsis_mask"] == 0
    require(plain, "the slice adds dimensions or has an ellipsis", at=part)
    axis = _axis(pack)
    bit = 1 << axis
    require(part["shrink_axis_mask"] == bit, "the slice keeps or drops another dimension", at=part)
    others = [k for k in range(begin.size) if k != axis]
    whole = all(_bit(part, "begin_mask", k) and _bit(part, "end_mask", k) and step[k] == 1 for k in others)
    require(whole and axis < begin.size, "the slice takes a part of the value", at=part)
    # With shrink_axis_mask the op takes the element at begin, whatever the masks and the end are.
    return _value_at(new, pack, int(begin[axis]), part)


@rewrite(
    op("Slice", op("Pack", bind="pack"), const("begin"), const("size"), bind="part"),
    effect=Effect.EXACT,
    shares=("pack",),
)
def remove_stack_before_slice(new: Builder, part: Node, pack: Node, begin: Array, size: Array) -> Value:
    """Slice(stack([a, b, c], axis), …, k, …) of size 1 = ExpandDims(the k-th value, axis).

    Before:
        a = input(float32[?,4])
        b = input(float32[?,4])
        p = Pack(a, b, axis=1)
        begin = const(int32, [0, 1, 0])
        size = const(int32, [-1, 1, -1])
        y = Slice(p, begin, size)
        return y

    After:
        b = input(float32[?,4])
        axis = const(int32, 1)
        y = ExpandDims(b, axis)
        return y

    Declines when: it takes more than one value, or a part of one; the place is out of range; computing another value
    has an effect; the rank that a negative axis counts from is not known.
    Source: Grappler's arithmetic optimizer (RemoveStackSliceSameAxis).
    """
    axis = _axis(pack)
    require(begin.size == size.size > axis and size[axis] == 1, "the slice takes more than one value", at=part)
    dims = pack.inputs[0].shape.dims
    lengths = None if dims is None else [*dims[:axis], None, *dims[axis:]]
    others = [k for k in range(begin.size) if k != axis]
    whole = all(begin[k] == 0 and (size[k] == -1 or (lengths and lengths[k] == size[k])) for k in others)
    require(whole, "the slice takes a part of the value", at=part)
    require(begin[axis] >= 0, "the place is out of range", at=part)
    value = _value_at(new, pack, int(begin[axis]), part)
    return new.op("ExpandDims", value, new.ints(np.asarray(axis)), shape=part.shapes[0])


@rewrite(
    op("GatherV2", op("Pack", bind="pack"), const("index"), const("axis"), bind="part"),
    effect=Effect.EXACT,
    shares=("pack",),
)
def remove_stack_before_gather(new: Builder, part: Node, pack: Node, index: Array, axis: Array) -> Value | None:
    """Gather(stack([a, b, c], axis), k, axis) = the k-th value.

    Before:
        a = input(float32[?,4])
        b = input(float32[?,4])
        p = Pack(a, b)
        index = const(int32, 1)
        axis = const(int32, 0)
        g = GatherV2(p, index, axis)
        y = Relu(g)
        return y

    After:
        b = input(float32[?,4])
        y = Relu(b)
        return y

    Declines when: the place is out of range; computing another value has an effect; it gathers along another axis; the
    rank that a negative axis counts from is not known. Several indices do not match.
    Source: Grappler's arithmetic optimizer (RemoveStackSliceSameAxis), for Gather.
    """
    if index.ndim or axis.size != 1 or part["batch_dims"] != 0:
        return None
    require(axis.ravel()[0] == _axis(pack), "it gathers along another axis", at=part)
    require(index >= 0, "the place is out of range", at=part)
    return _value_at(new, pack, int(index), part)


@rewrite(op("Unpack", op("Pack", bind="pack"), bind="parts"), effect=Effect.EXACT, shares=("pack",))
def remove_stack_before_unstack(new: Builder, parts: Node, pack: Node) -> Value:
    """unstack(stack([a, b, c], axis), axis)[0] = a, where nobody reads the others.

    Before:
        a = input(float32[?,4])
        b = input(float32[?,4])
        p = Pack(a, b, axis=1)
        u = Unpack(p, num=2, axis=1)
        y = Relu(u)
        return y

    After:
        a = input(float32[?,4])
        y = Relu(a)
        return y

    Declines when: the axes are not known to be the same; computing another value has an effect; another output is read
    (a rewrite replaces one value).
    Source: the op pages.
    """
    require(parts["axis"] == pack["axis"], "the axes are not known to be the same", at=parts)
    return _value_at(new, pack, 0, parts)


def _axis(pack: Node) -> int:
    axis, rank = pack["axis"], pack.inputs[0].shape.rank
    assert isinstance(axis, int)
    require(axis >= 0 or rank is not None, "the rank that the axis counts from is not known", at=pack)
    return axis if axis >= 0 else axis + (rank or 0) + 1


def _bit(node: Node, mask: str, k: int) -> bool:
    value = node[mask]
    return isinstance(value, int) and bool(value >> k & 1)


def _value_at(new: Builder, pack: Node, place: int, at: Node) -> Value:
    count = len(pack.inputs)
    require(-count <= place < count, "the place is out of range", at=at)
    value = pack.inputs[place]
    lost = any(new.has_effect(v) for v in pack.inputs if v != value)
    require(not lost, "computing another value has an effect", at=pack)
    return value
