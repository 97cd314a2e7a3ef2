"""Tensors that are filled with one number and whose shape is static → constants, stored as that one number."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.splat import splat


@rewrite(op("Fill | ZerosLike | OnesLike", bind="fill"), effect=Effect.EXACT)
def fold_fill(new: Builder, fill: Node) -> Value | None:
    """ZerosLike(x) = a constant, where the shape of x is static; likewise OnesLike, and Fill with a constant number.

    Before:
        x = input(float32[2,3])
        y = ZerosLike(x)
        return y

    After:
        y = const(float32, [[0, 0, 0], [0, 0, 0]])
        return y

    Declines when: the shape is not known or large; the input is computed with an effect, which would be lost.
    Source: Grappler's constant folding (MaterializeConstantValuedNode).
    """
    number = _number(new, fill)
    if number is None:
        return None
    shape = fill.out().shape if fill.op == "Fill" else fill.inputs[0].shape
    require(not any(new.has_effect(v) for v in fill.inputs), "an input is computed with an effect", at=fill)
    return splat(new, number, shape, fill)


def _number(new: Builder, fill: Node) -> Array | None:
    """What the result is filled with; None where that is computed, or no number."""
    if fill.op == "Fill":
        given = new.constant_of(fill.inputs[1])
        return None if given is None or given.dtype.kind == "O" else given
    np_dtype = fill.dtypes[0].numpy
    if np_dtype is None or np_dtype.kind == "O":
        return None
    return np.full((), 1 if fill.op == "OnesLike" else 0, np_dtype)
