"""Layer normalizations that scale value and mean apart → the difference is scaled, which takes fewer large tensors."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite
from tfpare.rewrites.linear import FLOATS


@rewrite(
    op("Add | AddV2", op("Mul", any_("x"), any_("scale"), bind="scaled"), any_("shift"), bind="total"),
    effect=Effect.ROUNDING,
)
def subtract_mean_before_scaling(new: Builder, total: Node, x: Value, scale: Value, shift: Value) -> Value | None:
    """x·s + (−m·s + β) = ((x − m)·r)·γ + β, with m = mean(x), s = r·γ, r = 1/√(mean((x − m)²) + ε).

    So does Keras 3 write LayerNormalization. The products of r with γ and of m with that are as large as x; the
    difference is needed for the variance as well. It also cancels nothing: x·s and m·s may be large and nearly equal.

    Where x or m is not finite, r is NaN in either form; where the square overflows, r is 0.

    Before:
        x = input(float32[?,6,8])
        axis = const(int32, [-1])
        m = Mean(x, axis, keep_dims=true)
        d = SquaredDifference(x, m)
        v = Mean(d, axis, keep_dims=true)
        epsilon = const(float32, 0.001)
        e = AddV2(v, epsilon)
        r = Rsqrt(e)
        gamma = const(float32[1,1,8])
        s = Mul(r, gamma)
        xs = Mul(x, s)
        n = Neg(m)
        ms = Mul(n, s)
        beta = const(float32[1,1,8])
        b = AddV2(ms, beta)
        y = AddV2(xs, b)
        return y

    After:
        x = input(float32[?,6,8])
        axis = const(int32, [-1])
        m = Mean(x, axis, keep_dims=true)
        c = Sub(x, m)
        d = SquaredDifference(x, m)
        v = Mean(d, axis, keep_dims=true)
        epsilon = const(float32, 0.001)
        e = AddV2(v, epsilon)
        r = Rsqrt(e)
        cr = Mul(c, r)
        gamma = const(float32[1,1,8])
        n = Mul(cr, gamma)
        beta = const(float32[1,1,8])
        y = AddV2(n, beta)
        return y

    Before (without γ and β):
        x = input(float32[?,8])
        axis = const(int32, [1])
        m = Mean(x, axis, keep_dims=true)
        d = SquaredDifference(x, m)
        v = Mean(d, axis, keep_dims=true)
        epsilon = const(float32, 0.001)
        e = AddV2(v, epsilon)
        r = Rsqrt(e)
        xs = Mul(x, r)
        n = Neg(m)
        ms = Mul(n, r)
        y = AddV2(xs, ms)
        return y

    After:
        x = input(float32[?,8])
        axis = const(int32, [1])
        m = Mean(x, axis, keep_dims=true)
        c = Sub(x, m)
        d = SquaredDifference(x, m)
        v = Mean(d, axis, keep_dims=true)
        epsilon = const(float32, 0.001)
        e = AddV2(v, epsilon)
        r = Rsqrt(e)
        y = Mul(c, r)
        return y

    Declines when: m and r are not these statistics of x, over the same axes; γ is not constant and finite; another
    node needs a part of the sum; the numbers are no floats.
    Source: Ba et al. 2016, arXiv:1607.06450 (the definition); Keras' LayerNormalization writes the other form.
    """
    product, beta = _terms(new, shift, scale)
    if product is None:
        return None
    negated = new.producer(next(v for v in product.inputs if v != scale), "Neg")
    root, gamma = _factors(new, scale)
    weights = None if gamma is None else new.constant_of(gamma)
    if negated is None or root is None:
        return None
    mean = negated.inputs[0]
    require(_normalizes(new, root, x, mean), "the factor is not the variance of these numbers", at=total)
    require(x.dtype.name in FLOATS, f"it computes in {x.dtype}", at=total)
    absorbed = new.can_absorb(shift) and new.can_absorb(negated.out(), product)
    require(absorbed and (beta is None or new.can_absorb(product.out(), shift.node)), "another node needs it", at=total)
    require(weights is None or np.isfinite(weights).all(), "the scale holds NaN or infinity", at=total)
    result = new.op("Mul", new.op("Sub", x, mean), root.out())
    result = result if gamma is None else new.op("Mul", result, gamma)
    return result if beta is None else new.op("AddV2", result, beta)


def _terms(new: Builder, shift: Value, scale: Value) -> tuple[Node | None, Value | None]:
    """−m·s and β of the sum, which may lack β."""
    product = new.producer(shift, "Mul")
    if product is not None:
        return (product, None) if product.inputs.count(scale) == 1 else (None, None)
    total = new.producer(shift, "Add | AddV2")
    for position in range(2 if total else 0):
        assert total is not None
        product = new.producer(total.inputs[position], "Mul")
        if product is not None and product.inputs.count(scale) == 1:
            return product, total.inputs[1 - position]
    return None, None


def _factors(new: Builder, scale: Value) -> tuple[Node | None, Value | None]:
    """r and γ of the scale, which may lack γ."""
    root = new.producer(scale, "Rsqrt")
    product = new.producer(scale, "Mul")
    if root is not None or product is None:
        return root, None
    for position in range(2):
        root, gamma = new.producer(product.inputs[position], "Rsqrt"), product.inputs[1 - position]
        if root is not None and new.constant_of(gamma) is not None:
            return root, gamma
    return None, None


def _normalizes(new: Builder, root: Node, x: Value, mean: Value) -> bool:
    """Whether m is the mean of x, and r = 1/√(mean((x − m)²) + ε) over the same axes."""
    total, average = new.producer(root.inputs[0], "Add | AddV2"), new.producer(mean, "Mean")
    if total is None or average is None or average.inputs[0] != x:
        return False
    variances = [n for n in (new.producer(v, "Mean") for v in total.inputs) if n is not None]
    if len(variances) != 1 or not all(n["keep_dims"] for n in (*variances, average)):
        return False
    square = new.producer(variances[0].inputs[0], "SquaredDifference")
    axes = [new.constant_of(n.inputs[1]) for n in (*variances, average)]
    same = axes[0] is not None and axes[1] is not None and np.array_equal(axes[0].ravel(), axes[1].ravel())
    return same and square is not None and set(square.inputs) == {x, mean}
