"""Transposes that change nothing, or follow each other → gone or one."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(op("Transpose", any_("x"), const("order")), effect=Effect.EXACT)
def remove_redundant_transpose(new: Builder, x: Value, order: Array) -> Value | None:
    """Transpose(x, [0, 1, 2, …]) = x.

    Before:
        x = input(float32[?,8,4])
        order = const(int32, [0, 1, 2])
        t = Transpose(x, order)
        y = Relu(t)
        return y

    After:
        x = input(float32[?,8,4])
        y = Relu(x)
        return y

    Declines when: never by itself; another order does not match.
    Source: Grappler's arithmetic optimizer (RemoveIdentityTranspose).
    """
    return x if order.tolist() == list(range(order.size)) else None


@rewrite(
    op("Transpose", op("Transpose", any_("x"), const("first"), bind="inner"), const("second"), bind="outer"),
    effect=Effect.EXACT,
    shares=("inner",),
)
def merge_transposes(new: Builder, outer: Node, x: Value, first: Array, second: Array, second_value: Value) -> Value:
    """Transpose(Transpose(x, p), q) = Transpose(x, p[q]).

    Before:
        x = input(float32[?,8,4,2])
        p = const(int32, [0, 2, 3, 1])
        q = const(int32, [0, 2, 1, 3])
        t = Transpose(x, p)
        y = Transpose(t, q)
        return y

    After:
        x = input(float32[?,8,4,2])
        pq = const(int32, [0, 3, 2, 1])
        y = Transpose(x, pq)
        return y

    Before:
        x = input(float32[?,8,4,2])
        p = const(int32, [0, 2, 3, 1])
        q = const(int32, [0, 3, 1, 2])
        t = Transpose(x, p)
        back = Transpose(t, q)
        y = Relu(back)
        return y

    After:
        x = input(float32[?,8,4,2])
        y = Relu(x)
        return y

    Declines when: an order is no permutation of 0, 1, 2, …
    Source: Grappler's arithmetic optimizer (RemoveIdentityTranspose).
    """
    axes = list(range(first.size))
    require(sorted(first.tolist()) == sorted(second.tolist()) == axes, "an order is no permutation", at=outer)
    merged = first[second]
    return x if merged.tolist() == axes else new.op("Transpose", x, new.ints(merged, second_value))
