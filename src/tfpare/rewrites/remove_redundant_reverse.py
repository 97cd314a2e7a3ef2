"""Reversing and shuffling along dimensions of 1 → gone."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(op("ReverseV2", any_("x"), const("axes"), bind="reverse"), effect=Effect.EXACT)
def remove_redundant_reverse(new: Builder, reverse: Node, x: Value, axes: Array) -> Value:
    """ReverseV2(x, axes) = x, where x has at most one element along each of the axes.

    Before:
        x = input(float32[?,1,4])
        axes = const(int32, [1])
        r = ReverseV2(x, axes)
        y = Relu(r)
        return y

    After:
        x = input(float32[?,1,4])
        y = Relu(x)
        return y

    Declines when: a dimension may be larger than 1; an axis does not exist.
    Source: Grappler's constant folding (RemoveReverse).
    """
    dims, given = x.shape.dims, [int(a) for a in axes.ravel()]
    inside = all(dims is not None and -len(dims) <= a < len(dims) for a in given)
    require(inside, "an axis does not exist, or the rank is unknown", at=reverse)
    require(all(dims is not None and dims[a] in (0, 1) for a in given), "a dimension may be larger than 1", at=reverse)
    return x


@rewrite(op("RandomShuffle", any_("x"), bind="shuffle"), effect=Effect.EXACT)
def remove_redundant_shuffle(new: Builder, shuffle: Node, x: Value) -> Value:
    """RandomShuffle(x) = x, where x has at most one row, or is a scalar.

    Before:
        x = input(float32[1,4])
        s = RandomShuffle(x)
        y = Relu(s)
        return y

    After:
        x = input(float32[1,4])
        y = Relu(x)
        return y

    Declines when: there may be several rows.
    Source: Grappler's constant folding (RemoveRandomShuffle).
    """
    dims = x.shape.dims
    require(dims is not None and dims[:1] in ((), (0,), (1,)), "there may be several rows", at=shuffle)
    return x
