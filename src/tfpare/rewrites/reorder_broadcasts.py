"""Products and sums of a large value with two small ones → the small ones meet first."""

from __future__ import annotations

from itertools import zip_longest

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite

_SAME = {"Mul": "Mul", "Add": "Add", "AddV2": "Add"}
# A product or sum of two small float16 operands overflows where large · small · small did not.
_DTYPES = ("bfloat16", "float32", "float64", "int32", "int64")


@rewrite(
    op("Mul | Add | AddV2", op("Mul | Add | AddV2", any_("a"), any_("b"), bind="inner"), any_("c"), bind="outer"),
    effect=Effect.ROUNDING,
)
def reorder_broadcasts(new: Builder, outer: Node, inner: Node, a: Value, b: Value, c: Value) -> Value | None:
    """(X·a)·b = X·(a·b) where a·b is smaller than X, likewise +.

    Before:
        x = input(float32[?,8,8,4])
        a = input(float32[?,1,1,4])
        b = input(float32[1,1,4])
        m = Mul(x, a)
        y = Mul(m, b)
        return y

    After:
        x = input(float32[?,8,8,4])
        a = input(float32[?,1,1,4])
        b = input(float32[1,1,4])
        s = Mul(a, b)
        y = Mul(x, s)
        return y

    Declines when: another node needs the inner result; an operand is constant (it folds into what comes before, see
    `merge_constant_muls` and `fold_mul_into_linear`); the small operands together are not known to be smaller; the
    dtype is float16, complex or a short integer.
    Source: Grappler's arithmetic optimizer (MinimizeBroadcasts).
    """
    if _SAME[inner.op] != _SAME[outer.op]:
        return None
    large, small = (a, b) if _is_smaller(b, a) else (b, a)
    if not _is_smaller(small, large) or not _is_smaller(c, large):
        return None
    dims = _broadcast(small, c)
    require(dims is not None and _fits(dims, large), "the small operands together may be as large", at=outer)
    require(large.dtype.base.name in _DTYPES, f"{large.dtype} may overflow in another order", at=outer)
    constant = any(new.constant_of(v) is not None for v in (a, b, c))
    require(not constant, "a constant folds into what comes before", at=outer)
    return new.like(outer, large, new.op(outer.op, small, c))


def _is_smaller(a: Value, b: Value) -> bool:
    return a.shape.dims is not None and _fits(a.shape.dims, b)


def _fits(small: tuple[int | None, ...], large: Value) -> bool:
    """Whether each dimension is 1 or as in `large`, and one of them is 1 where the other has more.

    This only estimates the gain: the result is right for any shapes.
    """
    dims = large.shape.dims
    if dims is None or len(small) > len(dims):
        return False
    padded = (1,) * (len(dims) - len(small)) + small
    pairs = list(zip(padded, dims, strict=True))
    return all(s in (1, d) for s, d in pairs) and any(s == 1 != d for s, d in pairs)


def _broadcast(a: Value, b: Value) -> tuple[int | None, ...] | None:
    if a.shape.dims is None or b.shape.dims is None:
        return None
    pairs = zip_longest(reversed(a.shape.dims), reversed(b.shape.dims), fillvalue=1)
    return tuple(q if p == 1 else p for p, q in pairs)[::-1]
