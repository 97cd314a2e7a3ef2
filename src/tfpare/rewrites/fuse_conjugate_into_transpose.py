"""Conj next to a Transpose → ConjugateTranspose; two transposes of which one conjugates → one."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite

_TRANSPOSES = "Transpose | ConjugateTranspose"


@rewrite(op("Conj", op(_TRANSPOSES, any_("x"), any_("order"), bind="inner"), bind="outer"), effect=Effect.EXACT)
def fuse_conjugate_into_transpose(new: Builder, outer: Node, inner: Node, x: Value, order: Value) -> Value:
    """Conj(Transpose(x, p)) = ConjugateTranspose(x, p), and Conj(ConjugateTranspose(x, p)) = Transpose(x, p).

    Before:
        x = input(complex64[?,4])
        order = const(int32, [1, 0])
        t = Transpose(x, order)
        y = Conj(t)
        return y

    After:
        x = input(complex64[?,4])
        order = const(int32, [1, 0])
        y = ConjugateTranspose(x, order)
        return y

    Declines when: another node needs the inner result; the values are variants, not complex numbers.
    Source: Grappler's arithmetic optimizer (FoldConjugateIntoTranspose).
    """
    return _fuse(new, outer, inner, x, order)


@rewrite(op(_TRANSPOSES, op("Conj", any_("x"), bind="inner"), any_("order"), bind="outer"), effect=Effect.EXACT)
def fuse_conjugate_into_next_transpose(new: Builder, outer: Node, inner: Node, x: Value, order: Value) -> Value:
    """Transpose(Conj(x), p) = ConjugateTranspose(x, p), and ConjugateTranspose(Conj(x), p) = Transpose(x, p).

    Before:
        x = input(complex64[?,4])
        order = const(int32, [1, 0])
        c = Conj(x)
        y = Transpose(c, order)
        return y

    After:
        x = input(complex64[?,4])
        order = const(int32, [1, 0])
        y = ConjugateTranspose(x, order)
        return y

    Declines when: another node needs the conjugate; the values are variants, not complex numbers.
    Source: Grappler's arithmetic optimizer (FoldConjugateIntoTranspose).
    """
    return _fuse(new, outer, inner, x, order)


@rewrite(
    op(_TRANSPOSES, op(_TRANSPOSES, any_("x"), const("first"), bind="inner"), const("second"), bind="outer"),
    effect=Effect.EXACT,
    shares=("inner",),
)
def merge_conjugate_transposes(
    new: Builder, outer: Node, inner: Node, x: Value, first: Array, second: Array, second_value: Value
) -> Value | None:
    """ConjugateTranspose(ConjugateTranspose(x, p), q) = Transpose(x, p[q]); with one plain Transpose it conjugates.

    Before:
        x = input(complex64[?,4,2])
        p = const(int32, [0, 2, 1])
        q = const(int32, [2, 1, 0])
        t = ConjugateTranspose(x, p)
        y = Transpose(t, q)
        return y

    After:
        x = input(complex64[?,4,2])
        pq = const(int32, [1, 2, 0])
        y = ConjugateTranspose(x, pq)
        return y

    Declines when: an order is no permutation of 0, 1, 2, …; two plain transposes are `merge_transposes`'s.
    Source: Grappler's arithmetic optimizer (RemoveIdentityTranspose), for complex numbers.
    """
    if inner.op == outer.op == "Transpose":
        return None
    axes = list(range(first.size))
    require(sorted(first.tolist()) == sorted(second.tolist()) == axes, "an order is no permutation", at=outer)
    kind = "Transpose" if inner.op == outer.op else "ConjugateTranspose"
    return new.op(kind, x, new.ints(first[second], second_value), shape=outer.shapes[0])


def _fuse(new: Builder, outer: Node, inner: Node, x: Value, order: Value) -> Value:
    require(x.dtype.name in ("complex64", "complex128"), "the values are no complex numbers", at=outer)
    conjugates = "ConjugateTranspose" not in (inner.op, outer.op)
    return new.op("ConjugateTranspose" if conjugates else "Transpose", x, order, shape=outer.shapes[0])
