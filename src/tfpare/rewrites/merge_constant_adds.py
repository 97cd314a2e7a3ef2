"""Sums with two constants → one constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, op, require, rewrite

_SUMS = "Add | AddV2 | Sub"


@dataclass(frozen=True, slots=True)
class _Sum:
    """sign · x + constant."""

    sign: int
    x: Value
    constant: Array


@rewrite(op(_SUMS, bind="outer"), effect=Effect.ROUNDING)
def merge_constant_adds(new: Builder, outer: Node) -> Value | None:
    """(x + c1) + c2 = x + (c1 + c2), with any mix of + and −.

    Before:
        x = input(float32[?,4])
        c1 = const(float32[4])
        c2 = const(float32)
        a = AddV2(x, c1)
        y = AddV2(c2, a)
        return y

    After:
        x = input(float32[?,4])
        c = const(float32[4])
        y = AddV2(x, c)
        return y

    Before:
        x = input(int32[?,2])
        c1 = const(int32, [1, 2])
        c2 = const(int32, [10, 30])
        a = Sub(c1, x)
        y = Sub(a, c2)
        return y

    After:
        x = input(int32[?,2])
        c = const(int32, [-9, -28])
        y = Sub(c, x)
        return y

    Declines when: another node needs the inner sum; the sum of the constants is larger than both, or leaves the range
    of the type.
    Source: Grappler's constant folding (ConstantPushDown, PartialAssocOpConstFolding).
    """
    second = _split(new, outer)
    inner = new.producer(second.x, _SUMS) if second is not None else None
    first = _split(new, inner) if inner is not None else None
    if first is None or second is None or inner is None:
        return None
    require(new.can_absorb(second.x), "another node needs the inner sum", at=inner)
    larger = np.broadcast_shapes(first.constant.shape, second.constant.shape)
    grows = np.prod(larger, dtype=np.int64) > max(first.constant.size, second.constant.size)
    require(not grows, "the constants together would be larger", at=outer)
    constant = _add(second.constant, first.constant, second.sign)
    return _build(new, outer, _Sum(first.sign * second.sign, first.x, constant))


def _add(a: Array, b: Array, sign: int) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # integers wrap around as the kernels do
        return np.asarray(a + b if sign > 0 else a - b)


def _split(new: Builder, node: Node) -> _Sum | None:
    """The constant of a sum and its other operand; None without a constant of a numeric type."""
    a, b = node.inputs
    if a.dtype.numpy is None or a.dtype.base.name == "string":
        return None
    left, right = new.constant_of(a), new.constant_of(b)
    if right is not None:
        wide = _wide(right)
        return _Sum(1, a, _add(np.zeros_like(wide), wide, -1 if node.op == "Sub" else 1))
    return None if left is None else _Sum(-1 if node.op == "Sub" else 1, b, _wide(left))


def _wide(array: Array) -> Array:
    return array if array.dtype.kind in "iuc" else array.astype(np.float64)


def _build(new: Builder, outer: Node, total: _Sum) -> Value:
    constant = new.const(total.constant, total.x.dtype.base)
    if total.sign < 0:
        return new.op("Sub", constant, total.x)
    return new.op("Add" if outer.op == "Add" else "AddV2", total.x, constant)
