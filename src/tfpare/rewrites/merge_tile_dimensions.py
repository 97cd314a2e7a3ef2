"""Upsampling by Reshape, Tile, Reshape → in fewer dimensions."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op(
        "Reshape",
        op("Tile", op("Reshape", any_("x"), const("spread"), bind="inner"), const("multiples"), bind="tile"),
        any_("target"),
        bind="outer",
    ),
    effect=Effect.EXACT,
)
def merge_tile_dimensions(
    new: Builder, outer: Node, x: Value, tile: Node, spread: Array, spread_value: Value, multiples: Array, target: Value
) -> Value | None:
    """Tile([…, m, n, …], [s, 1]) = Tile([…, m·n, …], [s]) up to Reshapes, which upsampling has on both sides.

    Before:
        x = input(float32[?,4,6,3])
        spread = const(int32, [-1,4,1,6,1,3])
        r = Reshape(x, spread)
        multiples = const(int32, [1,1,2,1,2,1])
        t = Tile(r, multiples)
        target = const(int32, [-1,8,12,3])
        y = Reshape(t, target)
        return y

    After:
        x = input(float32[?,4,6,3])
        spread = const(int32, [-1,6,3])
        r = Reshape(x, spread)
        multiples = const(int32, [1,2,2])
        t = Tile(r, multiples)
        target = const(int32, [-1,8,12,3])
        y = Reshape(t, target)
        return y

    Declines when: a dimension is 0, so that −1 stands for anything; another node needs a result between.
    Source: Grappler's arithmetic optimizer (RemoveRedundantUpsampling), for any number of dimensions. The kernel
    computes one index a dimension for every element.
    """
    dims, counts = _merge([int(d) for d in spread.ravel()], [int(m) for m in multiples.ravel()])
    if len(dims) == spread.size:
        return None
    require((spread != 0).all(), "a dimension of 0 makes the others unknown", at=outer)
    flat = new.op("Reshape", x, new.ints(dims, spread_value))
    return new.like(outer, new.op("Tile", flat, new.ints(counts, tile.inputs[1])), target)


def _merge(dims: list[int], counts: list[int]) -> tuple[list[int], list[int]]:
    """Joins each dimension that is not repeated to the one before it: the elements come in the same order."""
    merged, repeats = dims[:1], counts[:1]
    for dim, count in zip(dims[1:], counts[1:], strict=True):
        if count == 1:
            merged[-1] = -1 if -1 in (merged[-1], dim) else merged[-1] * dim
        else:
            merged.append(dim)
            repeats.append(count)
    return merged, repeats
