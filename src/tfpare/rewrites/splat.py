"""Constants that hold one number throughout: they are stored once, whatever their size."""

from __future__ import annotations

from math import prod

import numpy as np

from tfpare.authoring import UNKNOWN, Array, Builder, Node, Shape, Value, require
from tfpare.passes.base import MAX_FOLDED_BYTES


def splat(new: Builder, number: Array, shape: Shape, at: Node) -> Value:
    """A constant of this shape that repeats one number, in its dtype.

    A loaded model holds it in full, so that filling the memory at every call is the smaller evil for large ones.

    Raises:
        Declined: the shape is not known, or the constant would be large.
    """
    require(shape.is_full, "the shape is not known", at=at)
    dims = tuple(d for d in shape.dims or () if d is not None)
    require(prod(dims) * number.itemsize <= MAX_FOLDED_BYTES, "the constant would be large", at=at)
    return new.const(np.broadcast_to(number, dims))


def broadcast_shape(node: Node) -> Shape:
    """The static shape of an elementwise op with two inputs."""
    a, b = (v.shape for v in node.inputs)
    if not (a.is_full and b.is_full):
        return node.out().shape
    dims = (tuple(d for d in s.dims or () if d is not None) for s in (a, b))
    try:
        return Shape(np.broadcast_shapes(*dims))
    except ValueError:  # the call fails, and has to
        return UNKNOWN
