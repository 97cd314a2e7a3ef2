"""Small integer arrays whose elements are known, or known up to a constant: element = unknown + offset."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfpare.authoring import Array, Builder, Node, Value

_MAX_ELEMENTS = 64  # paddings, crops and shapes are far smaller; what is larger is data


class Term(NamedTuple):
    """One element: offset, plus element `position` of `source` where that is not None."""

    source: Value | None
    position: int
    offset: int


def difference(new: Builder, a: Value, b: Value) -> Array | None:
    """a − b where that is constant although a and b may not be, else None."""
    left, right = terms(new, a), terms(new, b)
    if left is None or right is None or left.shape != right.shape:
        return None
    pairs: list[tuple[Term, Term]] = list(zip(left.reshape(-1), right.reshape(-1), strict=True))
    if any(x[:2] != y[:2] for x, y in pairs):
        return None
    return np.array([x.offset - y.offset for x, y in pairs], np.int64).reshape(left.shape)


def terms(new: Builder, value: Value) -> Array | None:
    """The elements as an array of `Term`; None where their number is not known."""
    constant = new.constant_of(value)
    if constant is not None:
        return _known(constant) if constant.dtype.kind in "iu" and constant.size <= _MAX_ELEMENTS else None
    node = new.producer(value, " ".join(_READERS))
    found = _READERS[node.op](new, node) if node is not None else None
    return _unknown(value) if found is None else found


def _array(items: list[Term], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(items), object)
    for k, item in enumerate(items):  # one by one: NumPy takes a list of tuples for a matrix
        array[k] = item
    return array.reshape(shape)


def _known(constant: Array) -> Array:
    return _array([Term(None, 0, int(number)) for number in constant.reshape(-1)], constant.shape)


def _unknown(value: Value) -> Array | None:
    size, dims = value.shape.size, value.shape.dims
    if size is None or dims is None or size > _MAX_ELEMENTS:
        return None
    return _array([Term(value, k, 0) for k in range(size)], tuple(d or 0 for d in dims))


def _identity(new: Builder, node: Node) -> Array | None:
    return terms(new, node.inputs[0])


def _pack(new: Builder, node: Node) -> Array | None:
    parts, axis = [terms(new, v) for v in node.inputs], node["axis"]
    known = [p for p in parts if p is not None]
    alike = len(known) == len(parts) and len({p.shape for p in known}) == 1
    return np.stack(known, axis) if alike and isinstance(axis, int) else None


def _concat(new: Builder, node: Node) -> Array | None:
    parts, axis = [terms(new, v) for v in node.inputs[:-1]], new.constant_of(node.inputs[-1])
    known = [p for p in parts if p is not None and p.ndim == 1]
    return np.concatenate(known) if len(known) == len(parts) and axis is not None else None


def _strided_slice(new: Builder, node: Node) -> Array | None:
    source = terms(new, node.inputs[0])
    limits = [new.constant_of(v) for v in node.inputs[1:]]
    if source is None or any(a is None for a in limits) or node["new_axis_mask"] or node["ellipsis_mask"]:
        return None
    begin, end, stride = ([int(k) for k in a.reshape(-1)] for a in limits if a is not None)
    if len(begin) > source.ndim or 0 in stride:
        return None
    index: list[Any] = []
    for k, (first, last, step) in enumerate(zip(begin, end, stride, strict=True)):
        if _bit(node, "shrink_axis_mask", k):
            if not -source.shape[k] <= first < source.shape[k]:
                return None
            index.append(first)
        else:
            start, stop = _bit(node, "begin_mask", k), _bit(node, "end_mask", k)
            index.append(slice(None if start else first, None if stop else last, step))
    found: Any = source[tuple(index)]
    return _array([found], ()) if isinstance(found, Term) else found


def _bit(node: Node, mask: str, position: int) -> bool:
    bits = node[mask]
    return isinstance(bits, int) and bool(bits >> position & 1)


def _sum(new: Builder, node: Node) -> Array | None:
    left, right = (terms(new, v) for v in node.inputs)
    if left is None or right is None or left.shape != right.shape:
        return None
    sign, items = -1 if node.op == "Sub" else 1, list[Term]()
    for x, y in zip(left.reshape(-1), right.reshape(-1), strict=True):
        if y.source is None:
            items.append(Term(x.source, x.position, x.offset + sign * y.offset))
        elif x.source is None and sign == 1:
            items.append(Term(y.source, y.position, x.offset + y.offset))
        else:
            return None
    return _array(items, left.shape)


_READERS = {
    "Identity": _identity,
    "Pack": _pack,
    "ConcatV2": _concat,
    "StridedSlice": _strided_slice,
    "Add": _sum,
    "AddV2": _sum,
    "Sub": _sum,
}
