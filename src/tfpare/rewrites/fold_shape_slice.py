"""Known dimensions that are read from an only partly known shape → constants."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.static_values import elements


@rewrite(op("StridedSlice | GatherV2", bind="pick"), effect=Effect.EXACT)
def fold_shape_slice(new: Builder, pick: Node) -> Value | None:
    """Shape(x)[begin:end] = a constant, where these dimensions are static; likewise GatherV2.

    Before:
        x = input(float32[?,28,32])
        b = const(int32, [1])
        e = const(int32, [3])
        one = const(int32, [1])
        s = Shape(x)
        y = StridedSlice(s, b, e, one)
        return y

    After:
        y = const(int32, [28, 32])
        return y

    Before:
        x = input(float32[?,28,32])
        which = const(int32, 2)
        axis = const(int32, 0)
        s = Shape(x)
        y = GatherV2(s, which, axis)
        return y

    After:
        y = const(int32, 32)
        return y

    Declines when: one of the dimensions is not static; the slice is not constant or makes a new axis.
    Source: Grappler's constant folding (MaterializeShapes), which needs the whole shape.
    """
    if new.producer(pick.inputs[0], "Shape | ConcatV2 | Pack") is None:
        return None
    known = elements(new, pick.out())
    numbers = [e for e in known or [] if isinstance(e, int)]
    require(known is not None and len(numbers) == len(known), "a dimension is not static", at=pick)
    return new.ints(_shaped(new, pick, numbers), pick.out())


def _shaped(new: Builder, pick: Node, numbers: list[int]) -> Array:
    indices = new.constant_of(pick.inputs[1]) if pick.op == "GatherV2" else None
    scalar = pick.get("shrink_axis_mask", 0) == 1 if indices is None else indices.ndim == 0
    return np.asarray(numbers[0] if scalar else numbers)
