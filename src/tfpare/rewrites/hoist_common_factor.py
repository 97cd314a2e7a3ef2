"""Sums of products with a common factor, or of quotients with a common divisor → one product or quotient."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.elementwise import have_same_shape
from tfpare.rewrites.ranges import range_of

_SUMS = "AddN | Add | AddV2 | Sub"
_SMALLEST_DIVISOR = 1e-6  # this far from 0 no quotient of bounded numbers leaves the range
_LARGEST = 1e6  # neither sums nor products of a few such numbers leave the range
# A sum of float16 factors overflows where the products did not.
_DTYPES = ("bfloat16", "float32", "float64", "int32", "int64")


@rewrite(op(_SUMS, bind="total"), effect=Effect.ROUNDING)
def hoist_common_factor(new: Builder, total: Node) -> Value | None:
    """x·a + b·x + x·c = x·(a + b + c), likewise −.

    Before:
        x = input(int32[?,4])
        a = input(int32[3,4])
        b = input(int32[3,4])
        p = Mul(x, a)
        q = Mul(b, x)
        y = AddV2(p, q)
        return y

    After:
        a = input(int32[3,4])
        b = input(int32[3,4])
        s = AddV2(a, b)
        x = input(int32[?,4])
        y = Mul(x, s)
        return y

    Before:
        u = input(float32[?,4])
        v = input(float32[?,1])
        x = Softmax(v)
        a = Tanh(u)
        b = Sigmoid(u)
        p = Mul(x, a)
        q = Mul(x, b)
        y = Sub(p, q)
        return y

    After:
        v = input(float32[?,1])
        x = Softmax(v)
        u = input(float32[?,4])
        a = Tanh(u)
        b = Sigmoid(u)
        s = Sub(a, b)
        y = Mul(x, s)
        return y

    Declines when: floats are not known to be finite (∞·1 − ∞·½ is NaN, ∞·(1 − ½) is ∞); another node needs a product;
    the other factors are not known to have one shape; the common factor is constant (it folds into what computes its
    operands); the dtype is float16, complex or a short integer.
    Source: Grappler's arithmetic optimizer (HoistCommonFactorOutOfAggregation).
    """
    products = _terms(new, total, "Mul")
    if products is None:
        return None
    common = [x for x in dict.fromkeys(products[0].inputs) if all(x in p.inputs for p in products)]
    if not common:
        return None
    x = common[0]
    rest = [p.inputs[1 - p.inputs.index(x)] for p in products]
    _check(new, total, x, rest)
    return new.op("Mul", x, _sum(new, total, rest))


@rewrite(op(_SUMS, bind="total"), effect=Effect.ROUNDING)
def hoist_common_divisor(new: Builder, total: Node) -> Value | None:
    """a/x + b/x = (a + b)/x, likewise −, for floats.

    Before:
        u = input(float32[?,4])
        v = input(float32[?,1])
        one = const(float32, 1)
        w = Sigmoid(v)
        x = AddV2(w, one)
        a = Tanh(u)
        b = Sigmoid(u)
        p = RealDiv(a, x)
        q = RealDiv(b, x)
        y = AddV2(p, q)
        return y

    After:
        u = input(float32[?,4])
        a = Tanh(u)
        b = Sigmoid(u)
        s = AddV2(a, b)
        v = input(float32[?,1])
        w = Sigmoid(v)
        one = const(float32, 1)
        x = AddV2(w, one)
        y = RealDiv(s, x)
        return y

    Declines when: as `hoist_common_factor`; x may not be positive; the numbers are integers.
    Source: Grappler's arithmetic optimizer (HoistCommonFactorOutOfAggregation).
    """
    quotients = _terms(new, total, "RealDiv")
    if quotients is None or any(q.inputs[1] != quotients[0].inputs[1] for q in quotients):
        return None
    x, rest = quotients[0].inputs[1], [q.inputs[0] for q in quotients]
    require(x.dtype.is_float, "quotients of integers are rounded one by one", at=total)
    _check(new, total, x, rest)
    require(range_of(new, x).low >= _SMALLEST_DIVISOR, "the divisor may be 0", at=total)
    return new.op("RealDiv", _sum(new, total, rest), x)


def _terms(new: Builder, total: Node, kind: str) -> list[Node] | None:
    """The nodes that compute the terms where there are several, all of one kind."""
    found = [new.producer(v, kind) for v in total.inputs]
    terms = [n for n in found if n is not None]
    return terms if len(terms) == len(found) and len(set(terms)) == len(found) > 1 else None


def _check(new: Builder, total: Node, x: Value, rest: list[Value]) -> None:
    require(all(new.can_absorb(v) for v in total.inputs), "another node needs a term", at=total)
    require(x.dtype.base.name in _DTYPES, f"sums of {x.dtype} may overflow", at=total)
    require(new.constant_of(x) is None, "a constant folds into what computes its operand", at=total)
    finite = x.dtype.is_integer or all(_is_bounded(new, v) for v in (x, *rest))
    require(finite, "the numbers are not known to be finite", at=total)
    same = all(have_same_shape(new, rest[0], v) for v in rest[1:])
    require(same, "the operands are not known to have one shape", at=total)


def _sum(new: Builder, total: Node, values: list[Value]) -> Value:
    return new.like(total, *values, shape=values[0].shape)


def _is_bounded(new: Builder, value: Value) -> bool:
    low, high = range_of(new, value)
    return low >= -_LARGEST and high <= _LARGEST
