"""Maxima and minima of a monotonic function → the function of the maximum or minimum, which has fewer elements."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.elementwise import FUSED_PRODUCERS
from tfpare.rewrites.ranges import range_of

# These never decrease, keep NaN, and make no NaN of a number (Softsign and Erf do, of ∞). Not for MaxPool: that of NaN
# alone is the lowest finite number, of which the function is another.
_INCREASING = (
    "Relu | Relu6 | Elu | Selu | Sigmoid | Tanh | Exp | Expm1 | Softplus | Floor | Ceil | Rint | Atan | Asinh | "
    "Sinh | Sqrt"
)


@rewrite(
    op("Max | Min", op(f"{_INCREASING} | Neg", any_("x"), bind="function"), const("axes"), bind="reduction"),
    effect=Effect.ROUNDING,
)
def move_monotonic_after_reduction(
    new: Builder, reduction: Node, function: Node, x: Value, axes: Array, axes_value: Value
) -> Value:
    """max f(x) = f(max x) for f that never decreases, likewise min; max(−x) = −min(x).

    Before:
        x = input(float32[?,8,4])
        e = Exp(x)
        axes = const(int32, [1])
        y = Max(e, axes)
        return y

    After:
        x = input(float32[?,8,4])
        axes = const(int32, [1])
        m = Max(x, axes)
        y = Exp(m)
        return y

    Before:
        x = input(float32[?,8,4])
        n = Neg(x)
        axes = const(int32, [1])
        y = Max(n, axes)
        return y

    After:
        x = input(float32[?,8,4])
        axes = const(int32, [1])
        m = Min(x, axes)
        y = Neg(m)
        return y

    Declines when: another node needs the function's values; the reduced dimensions are not known to have elements (the
    maximum of nothing is −∞, whatever the function); the run-time fuses the function into what computes x; x may be
    outside of the function's domain, where it gives NaN; the numbers are integers (−x may wrap around).
    Source: Grappler's arithmetic optimizer (OptimizeMaxOrMinOfMonotonic).
    """
    _check_function(new, function, x)
    dims, reduced = x.shape.dims, {int(a) for a in axes.ravel()}
    known = dims is not None and all(-len(dims) <= a < len(dims) and (dims[a] or 0) > 0 for a in reduced)
    require(known and reduced, "the reduced dimensions are not known to have elements", at=reduction)
    opposite = {"Max": "Min", "Min": "Max"}[reduction.op]
    kind = opposite if function.op == "Neg" else reduction.op
    keep_dims = bool(reduction["keep_dims"])
    inner = new.op(kind, x, axes_value, shape=reduction.shapes[0], keep_dims=keep_dims)
    return new.like(function, inner, shape=reduction.shapes[0])


@rewrite(op("ArgMax | ArgMin", op("Neg", any_("x"), bind="negation"), any_("axis"), bind="root"), effect=Effect.EXACT)
def fold_negation_into_arg_reduction(new: Builder, root: Node, negation: Node, x: Value, axis: Value) -> Value:
    """ArgMax(−x) = ArgMin(x), and ArgMin(−x) = ArgMax(x).

    Before:
        x = input(float32[?,4])
        n = Neg(x)
        axis = const(int32, 1)
        y = ArgMax(n, axis)
        return y

    After:
        x = input(float32[?,4])
        axis = const(int32, 1)
        y = ArgMin(x, axis)
        return y

    Declines when: another node needs the negation; the numbers are integers (the smallest is its own negation). Other
    monotonic functions do not match: they round different numbers to one, and the first of equals wins.
    Source: Grappler's arithmetic optimizer (OptimizeMaxOrMinOfMonotonic), for the one function that keeps numbers
    apart.
    """
    require(x.dtype.is_float, "the smallest integer is its own negation", at=negation)
    opposite = {"ArgMax": "ArgMin", "ArgMin": "ArgMax"}[root.op]
    return new.op(opposite, x, axis, shape=root.shapes[0], output_type=root.dtypes[0])


def _check_function(new: Builder, function: Node, x: Value) -> None:
    require(x.dtype.is_float, "the numbers are no floats", at=function)
    fused = x.node.op in FUSED_PRODUCERS.split() and function.op != "Neg"
    require(not fused, "the run-time fuses the function into what computes its input", at=function)
    in_domain = function.op != "Sqrt" or range_of(new, x).low >= 0
    require(in_domain, "the function may give NaN", at=function)
