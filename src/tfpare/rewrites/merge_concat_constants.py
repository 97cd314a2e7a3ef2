"""Concatenations with neighbouring constants, or of concatenations → with fewer inputs."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.static_values import axis_of

_STORED_TWICE_BYTES = 4096  # small enough that one op less is worth it


@rewrite(op("ConcatV2", bind="concat"), effect=Effect.EXACT)
def merge_concat_constants(new: Builder, concat: Node) -> Value | None:
    """ConcatV2(x, c1, c2) = ConcatV2(x, [c1, c2]).

    Before:
        axis = const(int32, 0)
        x = input(int32[2])
        c1 = const(int32, [1, 2])
        c2 = const(int32, [3])
        y = ConcatV2(x, c1, c2, axis)
        return y

    After:
        axis = const(int32, 0)
        x = input(int32[2])
        c = const(int32, [1, 2, 3])
        y = ConcatV2(x, c, axis)
        return y

    Declines when: the axis is not constant; a large constant has other readers, so that it would be stored twice.
    Source: Grappler's constant folding (PartialConcatConstFolding).
    """
    *values, axis = concat.inputs
    kept = [a for v in values if len(v.node.readers) > 1 and (a := new.constant_of(v)) is not None]
    require(sum(a.nbytes for a in kept) <= _STORED_TWICE_BYTES, "a large constant has other readers", at=concat)
    groups = [list(g) for _, g in groupby(values, key=lambda v: new.constant_of(v) is None)]
    if all(len(g) == 1 or new.constant_of(g[0]) is None for g in groups):
        return None
    along = new.constant_of(axis)
    require(along is not None, "the axis is not constant", at=concat)
    assert along is not None
    merged = [v for g in groups for v in _join(new, g, int(along))]
    return merged[0] if len(merged) == 1 else new.like(concat, *merged, axis, N=len(merged))


def _join(new: Builder, values: list[Value], axis: int) -> list[Value]:
    arrays = [a for a in map(new.constant_of, values) if a is not None]
    if len(arrays) < 2:
        return values
    return [new.const(np.concatenate(arrays, axis), values[0])]


@rewrite(op("ConcatV2", bind="outer"), effect=Effect.EXACT)
def merge_concats(new: Builder, outer: Node) -> Value | None:
    """ConcatV2(x, ConcatV2(y, z)) = ConcatV2(x, y, z) along one axis.

    Before:
        axis = const(int32, 1)
        x = input(float32[?,2])
        y = input(float32[?,3])
        z = input(float32[?,4])
        inner = ConcatV2(y, z, axis)
        c = ConcatV2(x, inner, axis)
        return c

    After:
        axis = const(int32, 1)
        x = input(float32[?,2])
        y = input(float32[?,3])
        z = input(float32[?,4])
        c = ConcatV2(x, y, z, axis)
        return c

    Declines when: another node needs the inner result; the axes differ, or cannot be compared.
    Source: the ConcatV2 op page.
    """
    *values, axis = outer.inputs
    inner = {v: node for v in values if (node := new.producer(v, "ConcatV2")) is not None}
    if not inner:
        return None
    free = {v: n for v, n in inner.items() if new.can_absorb(v)}
    require(free, "another node needs the inner result", at=next(iter(inner.values())))
    same = {v: n for v, n in free.items() if _same_axis(new, n.inputs[-1], axis, v)}
    require(same, "the axes are not known to be the same", at=outer)
    merged = [w for v in values for w in (same[v].inputs[:-1] if v in same else (v,))]
    return new.like(outer, *merged, axis, N=len(merged))


def _same_axis(new: Builder, inner: Value, outer: Value, joined: Value) -> bool:
    a, b, rank = new.constant_of(inner), new.constant_of(outer), joined.shape.rank
    return a is not None and b is not None and axis_of(a, rank) == axis_of(b, rank)
