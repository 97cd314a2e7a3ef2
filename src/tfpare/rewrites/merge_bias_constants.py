"""A bias and another constant shift → one shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.linear import LINEAR
from tfpare.rewrites.static_values import keeps_shape

_SUMS = "Add | AddV2 | BiasAdd"


@dataclass(frozen=True, slots=True)
class _Shift:
    """x + constant, which does not enlarge x."""

    x: Value
    constant: Array


@rewrite(op(_SUMS, bind="outer"), effect=Effect.ROUNDING)
def merge_bias_constants(new: Builder, outer: Node) -> Value | None:
    """BiasAdd(x + c, b) = x + (c + b), likewise BiasAdd(x, b) + c; two BiasAdds become one.

    Before:
        x = input(float32[?,4])
        c = const(float32[4])
        b = const(float32[4])
        a = AddV2(x, c)
        y = BiasAdd(a, b)
        return y

    After:
        x = input(float32[?,4])
        c = const(float32[4])
        y = AddV2(x, c)
        return y

    Declines when: another node needs the inner sum; x comes from a linear op, with which its BiasAdd is run as one; a
    constant may enlarge the shape or is much larger than the bias; the layout is NCHW.
    Source: Grappler's constant folding (ConstantPushDownBiasAdd).
    """
    inner = next((n for v in outer.inputs if (n := new.producer(v, _SUMS)) is not None), None)
    if inner is None or "BiasAdd" not in (outer.op, inner.op):
        return None
    second, first = _split(new, outer), _split(new, inner)
    if first is None or second is None or second.x != inner.out():
        return None
    require(new.producer(first.x, LINEAR) is None, "it is run together with the linear op before it", at=inner)
    require(new.can_absorb(second.x), "another node needs the inner sum", at=inner)
    return _merge(new, outer, first, second)


def _merge(new: Builder, outer: Node, first: _Shift, second: _Shift) -> Value:
    fits = keeps_shape(first.constant, first.x) and keeps_shape(second.constant, first.x)
    require(fits, "a constant may enlarge the shape", at=outer)
    merged = np.asarray(first.constant + second.constant)
    grows = merged.size > max(first.constant.size, second.constant.size)
    require(not grows, "the constants together would be larger", at=outer)
    return new.op("AddV2", first.x, new.const(merged), shape=first.x.shape)


def _split(new: Builder, node: Node) -> _Shift | None:
    """The constant of a sum of floats and its other operand."""
    a, b = node.inputs
    left, right = (new.constant_of(v) if a.dtype.is_float else None for v in (a, b))
    if node.op == "BiasAdd":
        require(right is None or node["data_format"] == "NHWC", "the layout is NCHW", at=node)
        left = None
    if right is not None:
        return _Shift(a, right.astype(np.float64))
    return None if left is None else _Shift(b, left.astype(np.float64))
