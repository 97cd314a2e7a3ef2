"""Shared knowledge of integer vectors that are computed from static shapes, and of broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tfpare.authoring import Array, Builder, Node, Value


@dataclass(frozen=True, slots=True)
class Dim:
    """Dimension `axis` of `value`, whose size is not known."""

    value: Value
    axis: int


SMALLEST_NORMAL = {"float16": 6.2e-5, "bfloat16": 1.2e-38, "float32": 1.2e-38, "float64": 2.3e-308}
"""By dtype: numbers below this may be denormal."""

Element: TypeAlias = "int | Dim | None"
"""A known number, a dimension of some value, or anything."""


def elements(new: Builder, value: Value) -> list[Element] | None:
    """What is known of the elements of an integer vector or scalar; None where not even their number is known."""
    array = new.constant_of(value)
    if array is not None:
        return [int(e) for e in array.ravel()] if array.ndim < 2 and array.dtype.kind in "iu" else None
    node = new.producer(value, "Shape | Pack | ConcatV2 | StridedSlice | GatherV2")
    found = _READERS[node.op](new, node) if node is not None else None
    return _unknowns(value) if found is None else found


def _unknowns(value: Value) -> list[Element] | None:
    size = value.shape.size
    small = value.shape.rank in (0, 1) and size is not None
    return list[Element]([None]) * size if small and size is not None else None


def _shape(new: Builder, node: Node) -> list[Element] | None:
    del new
    x = node.inputs[0]
    return None if x.shape.dims is None else [Dim(x, k) if d is None else d for k, d in enumerate(x.shape.dims)]


def _pack(new: Builder, node: Node) -> list[Element] | None:
    found = [elements(new, v) or [None] for v in node.inputs]
    scalars = all(v.shape.rank == 0 for v in node.inputs) or all(_is_scalar(new, v) for v in node.inputs)
    return [one[0] for one in found] if scalars and node["axis"] in (0, -1) else None


def _is_scalar(new: Builder, value: Value) -> bool:
    picked = new.producer(value, "StridedSlice")
    return value.shape.rank == 0 or (picked is not None and picked["shrink_axis_mask"] == 1 and _is_plain(picked))


def _concat(new: Builder, node: Node) -> list[Element] | None:
    axis = new.constant_of(node.inputs[-1])
    parts = [elements(new, v) for v in node.inputs[:-1]]
    if axis is None or int(axis) not in (0, -1) or any(p is None for p in parts):
        return None
    return [e for p in parts if p is not None for e in p]


def _strided_slice(new: Builder, node: Node) -> list[Element] | None:
    source = elements(new, node.inputs[0])
    limits = [new.constant_of(v) for v in node.inputs[1:]]
    if source is None or any(a is None or a.size != 1 for a in limits) or not _is_plain(node):
        return None
    begin, end, step = (int(a.ravel()[0]) for a in limits if a is not None)
    if node["shrink_axis_mask"] == 1:
        return [source[begin]] if -len(source) <= begin < len(source) else None
    picked = slice(None if node["begin_mask"] == 1 else begin, None if node["end_mask"] == 1 else end, step)
    return source[picked] if step != 0 else None


def _is_plain(node: Node) -> bool:
    """Whether a StridedSlice treats one existing axis only."""
    return node["new_axis_mask"] == 0 and node["ellipsis_mask"] == 0 and node["shrink_axis_mask"] in (0, 1)


def _gather(new: Builder, node: Node) -> list[Element] | None:
    source, indices, axis = (
        elements(new, node.inputs[0]),
        new.constant_of(node.inputs[1]),
        new.constant_of(node.inputs[2]),
    )
    if source is None or indices is None or axis is None or indices.ndim > 1 or node["batch_dims"] != 0:
        return None
    inside = all(0 <= k < len(source) for k in indices.ravel())
    return [source[int(k)] for k in indices.ravel()] if inside and int(axis) in (0, -1) else None


_READERS = {"Shape": _shape, "Pack": _pack, "ConcatV2": _concat, "StridedSlice": _strided_slice, "GatherV2": _gather}


def keeps_shape(other: Array | Value, value: Value) -> bool:
    """Whether broadcasting `other` against `value` surely gives the shape of `value`."""
    small = other.shape.dims if isinstance(other, Value) else other.shape
    if small == ():
        return True
    dims = value.shape.dims
    if small is None or dims is None or len(small) > len(dims):
        return False
    last = dims[len(dims) - len(small) :]
    return all(s is not None and s in (1, d) for s, d in zip(small, last, strict=True))


def axis_of(array: Array, rank: int | None) -> int:
    """A constant axis, counted from the front where the rank is known."""
    axis = int(array.ravel()[0])
    return axis + rank if axis < 0 and rank is not None else axis
