"""Shared knowledge of what values can be at most and at least, whatever the inputs are (NaN apart)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfpare.authoring import Array, Builder, Node, Value

_INF = float("inf")
_DEPTH = 6  # how far to look down; what bounds a value is near it


class Range(NamedTuple):
    """All numbers from `low` to `high`."""

    low: float
    high: float


ANYTHING = Range(-_INF, _INF)
_FIXED = {
    "Abs": Range(0, _INF),
    "Square": Range(0, _INF),
    "SquaredDifference": Range(0, _INF),
    "Exp": Range(0, _INF),
    "Relu": Range(0, _INF),
    "Relu6": Range(0, 6),
    "Softplus": Range(0, _INF),
    "Sigmoid": Range(0, 1),
    "Softmax": Range(0, 1),
    "Tanh": Range(-1, 1),
    "Sqrt": Range(0, _INF),
    "Elu": Range(-1, _INF),
}
# Not Max and Min: those of no elements are infinite.
_SAME = "Identity | Reshape | Squeeze | ExpandDims | Transpose | Mean | MaxPool | Tile | StridedSlice | Slice"
_BINARY = "Add | AddV2 | Mul | Maximum | Minimum"


def range_of(new: Builder, value: Value, depth: int = _DEPTH) -> Range:
    """What is known of floats by the ops that compute them."""
    array = new.constant_of(value)
    if array is not None:
        return _of_constant(array.astype(np.float64)) if value.dtype.is_float and array.size else ANYTHING
    if depth == 0 or not value.dtype.is_float:
        return ANYTHING
    if (node := new.producer(value, " ".join(_FIXED))) is not None:
        return _FIXED[node.op]
    if (node := new.producer(value, _SAME)) is not None:
        return range_of(new, node.inputs[0], depth - 1)
    if (node := new.producer(value, "Sum")) is not None:
        return Range(0, _INF) if range_of(new, node.inputs[0], depth - 1).low >= 0 else ANYTHING
    node = new.producer(value, _BINARY)
    return ANYTHING if node is None else _of_binary(node, *(range_of(new, v, depth - 1) for v in node.inputs))


def _of_constant(array: Array) -> Range:
    return ANYTHING if np.isnan(array).any() else Range(float(array.min()), float(array.max()))


def _of_binary(node: Node, a: Range, b: Range) -> Range:
    if node.op in ("Add", "AddV2"):
        return Range(a.low + b.low, a.high + b.high) if a.low > -_INF < b.low else ANYTHING
    if node.op == "Mul":
        return Range(0, _INF) if a.low >= 0 <= b.low else ANYTHING
    if node.op == "Maximum":
        return Range(max(a.low, b.low), max(a.high, b.high))
    return Range(min(a.low, b.low), min(a.high, b.high))
