"""Tile and BroadcastTo that repeat nothing → gone."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import Dim, elements


@rewrite(op("Tile", any_("x"), const("multiples")), effect=Effect.EXACT)
def remove_redundant_tile(new: Builder, x: Value, multiples: Array) -> Value | None:
    """Tile(x, [1, …]) = x.

    Before:
        x = input(float32[?,8])
        once = const(int32, [1, 1])
        t = Tile(x, once)
        y = Relu(t)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: never by itself; other multiples do not match.
    Source: Grappler's constant folding (SimplifyTile).
    """
    return x if (multiples == 1).all() else None


@rewrite(op("BroadcastTo", any_("x"), any_("shape"), bind="broadcast"), effect=Effect.EXACT)
def remove_redundant_broadcast(new: Builder, broadcast: Node, x: Value, shape: Value) -> Value:
    """BroadcastTo(x, shape(x)) = x.

    Before:
        x = input(float32[3,8])
        shape = const(int32, [3, 8])
        b = BroadcastTo(x, shape)
        y = Relu(b)
        return y

    After:
        x = input(float32[3,8])
        y = Relu(x)
        return y

    Before:
        x = input(float32[?,8])
        shape = Shape(x)
        b = BroadcastTo(x, shape)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: the shape is another one, or not known to be the same.
    Source: the BroadcastTo op page.
    """
    target, dims = elements(new, shape), x.shape.dims or ()
    own = [Dim(x, k) if d is None else d for k, d in enumerate(dims)]
    known = target is not None and x.shape.dims is not None
    require(known and target == own, "the shape is not known to be the same", at=broadcast)
    return x
