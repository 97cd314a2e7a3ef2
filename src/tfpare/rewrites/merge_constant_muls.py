"""Products and quotients with two constants → one constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.static_values import SMALLEST_NORMAL

_PRODUCTS = "Mul | RealDiv | Div"


@dataclass(frozen=True, slots=True)
class _Product:
    """Constant · x to the power of 1 or −1."""

    power: int
    x: Value
    constant: Array


@rewrite(op(_PRODUCTS, bind="outer"), effect=Effect.ROUNDING)
def merge_constant_muls(new: Builder, outer: Node) -> Value | None:
    """(x · c1) · c2 = x · (c1 · c2), with any mix of · and /.

    Before:
        x = input(float32[?,4])
        c1 = const(float32[4])
        c2 = const(float32)
        a = RealDiv(x, c1)
        y = Mul(c2, a)
        return y

    After:
        x = input(float32[?,4])
        c = const(float32[4])
        y = Mul(x, c)
        return y

    Before:
        x = input(float32[?,4])
        c1 = const(float32[4])
        c2 = const(float32)
        a = Mul(x, c1)
        y = RealDiv(c2, a)
        return y

    After:
        x = input(float32[?,4])
        c = const(float32[4])
        y = RealDiv(c, x)
        return y

    Declines when: another node needs the inner product; the numbers are no floats; a constant is 0 or not finite; the
    product of the constants is larger than both, or leaves the range of normal numbers.
    Source: Grappler's constant folding (ConstantPushDown, MulConvPushDown).
    """
    second = _split(new, outer)
    inner = new.producer(second.x, _PRODUCTS) if second is not None else None
    first = _split(new, inner) if inner is not None else None
    if first is None or second is None or inner is None:
        return None
    require(outer.dtypes[0].name in SMALLEST_NORMAL, "the numbers are no floats", at=outer)
    require(new.can_absorb(second.x), "another node needs the inner product", at=inner)
    return _build(new, outer, _Product(first.power * second.power, first.x, _merge(first, second, outer)))


def _merge(first: _Product, second: _Product, outer: Node) -> Array:
    for array in (first.constant, second.constant):
        require((np.isfinite(array) & (array != 0)).all(), "a constant is 0 or not finite", at=outer)
    larger = np.broadcast_shapes(first.constant.shape, second.constant.shape)
    grows = np.prod(larger, dtype=np.int64) > max(first.constant.size, second.constant.size)
    require(not grows, "the constants together would be larger", at=outer)
    merged = np.asarray(second.constant * first.constant**second.power)
    normal = np.abs(merged) >= SMALLEST_NORMAL[outer.dtypes[0].name]
    require(normal.all() and np.isfinite(merged).all(), "the product of the constants leaves the range", at=outer)
    return merged


def _split(new: Builder, node: Node) -> _Product | None:
    """The constant of a product and its other operand."""
    a, b = node.inputs
    left, right = new.constant_of(a), new.constant_of(b)
    if not a.dtype.is_float:
        return None
    if right is not None:
        wide = right.astype(np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            return _Product(1, a, wide if node.op == "Mul" else 1 / wide)
    return None if left is None else _Product(1 if node.op == "Mul" else -1, b, left.astype(np.float64))


def _build(new: Builder, outer: Node, product: _Product) -> Value:
    constant = new.const(product.constant, outer.dtypes[0])
    if product.power < 0:
        return new.op("RealDiv", constant, product.x)
    return new.op("Mul", product.x, constant)
