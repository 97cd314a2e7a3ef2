"""Bitcasts that change nothing, or follow each other → gone or one."""

from __future__ import annotations

from tfpare.authoring import Builder, DType, Effect, Node, Value, any_, op, require, rewrite


@rewrite(op("Bitcast", any_("x"), bind="bitcast"), effect=Effect.EXACT)
def remove_redundant_bitcast(new: Builder, bitcast: Node, x: Value) -> Value | None:
    """Bitcast(x, type of x) = x.

    Before:
        x = input(float32[?,8])
        b = Bitcast(x, type=float32)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: never by itself; a bitcast to another type does not match.
    Source: Grappler's arithmetic optimizer (RemoveRedundantBitcast).
    """
    return x if bitcast["type"] == x.dtype.base else None


@rewrite(op("Bitcast", op("Bitcast", any_("x"), bind="inner"), bind="outer"), effect=Effect.EXACT, shares=("inner",))
def merge_bitcasts(new: Builder, outer: Node, inner: Node, x: Value) -> Value:
    """Bitcast(Bitcast(x, A), B) = Bitcast(x, B), which is x where B is its type.

    Before:
        x = input(float32[?,8])
        i = Bitcast(x, type=int32)
        y = Bitcast(i, type=uint32)
        return y

    After:
        x = input(float32[?,8])
        y = Bitcast(x, type=uint32)
        return y

    Before:
        x = input(float32[?,8])
        i = Bitcast(x, type=int8)
        b = Bitcast(i, type=float32)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: the three types have three sizes, so that one step would give another shape; a size is not known.
    Source: Grappler's arithmetic optimizer (RemoveRedundantBitcast).
    """
    sizes = [_bytes(x.dtype), _bytes(inner.dtypes[0]), _bytes(outer.dtypes[0])]
    require(None not in sizes, "the size of a type is not known", at=outer)
    require(len(set(sizes)) < 3, "one step would give another shape", at=outer)
    if outer.dtypes[0] == x.dtype.base:
        return x
    return new.op("Bitcast", x, shape=outer.shapes[0], type=outer.dtypes[0])


def _bytes(type_: DType) -> int | None:
    whole = type_.numpy is not None and type_.base.name not in ("string", "int4", "uint4")
    return type_.numpy.itemsize if whole and type_.numpy is not None else None
