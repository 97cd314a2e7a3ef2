"""Casts before or after a Transpose → where fewer bytes are moved."""

from __future__ import annotations

from tfpare.authoring import Builder, DType, Effect, Node, Value, any_, op, require, rewrite
from tfpare.rewrites.elementwise import becomes_integer

# The Transpose kernel moves any of these.
_DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64".split()
# A transpose that folds into a matrix product, or meets another, is gone: that comes first.
_AFTER = ("fold_transpose_into_matmul", "merge_transposes")


@rewrite(
    op("Transpose", op("Cast", any_("x"), bind="cast"), any_("order"), bind="transpose"),
    effect=Effect.EXACT,
    after=_AFTER,
)
def move_widening_cast_after_transpose(new: Builder, transpose: Node, cast: Node, x: Value, order: Value) -> Value:
    """Transpose(Cast(x, wider), p) = Cast(Transpose(x, p), wider).

    Before:
        x = input(uint8[?,8,8,3])
        c = Cast(x, DstT=float32)
        order = const(int32, [0, 3, 1, 2])
        y = Transpose(c, order)
        return y

    After:
        x = input(uint8[?,8,8,3])
        order = const(int32, [0, 3, 1, 2])
        t = Transpose(x, order)
        y = Cast(t, DstT=float32)
        return y

    Declines when: the type is no wider, or the kernel does not move it; another node needs the cast.
    Source: Grappler's arithmetic optimizer (ReorderCastLikeAndValuePreserving).
    """
    require(0 < _bytes(x.dtype) < _bytes(cast.dtypes[0]), "the cast makes the elements no larger", at=cast)
    return new.like(cast, new.like(transpose, x, order, T=x.dtype.base), shape=transpose.shapes[0])


@rewrite(
    op("Cast", op("Transpose", any_("x"), any_("order"), bind="transpose"), bind="cast"),
    effect=Effect.EXACT,
    after=_AFTER,
)
def move_narrowing_cast_before_transpose(new: Builder, cast: Node, transpose: Node, x: Value, order: Value) -> Value:
    """Cast(Transpose(x, p), narrower) = Transpose(Cast(x, narrower), p).

    Before:
        x = input(float32[?,8,8,3])
        order = const(int32, [0, 3, 1, 2])
        t = Transpose(x, order)
        y = Cast(t, DstT=bfloat16)
        return y

    After:
        x = input(float32[?,8,8,3])
        c = Cast(x, DstT=bfloat16)
        order = const(int32, [0, 3, 1, 2])
        y = Transpose(c, order)
        return y

    Declines when: the type is no narrower; floats become integers (a NaN, or a number out of range, becomes an integer
    that depends on its position); another node needs the transposed value.
    Source: Grappler's arithmetic optimizer (ReorderCastLikeAndValuePreserving).
    """
    target = cast.dtypes[0]
    require(0 < _bytes(target) < _bytes(x.dtype), "the cast makes the elements no smaller", at=cast)
    require(not becomes_integer(cast), "floats out of range become arbitrary integers", at=cast)
    return new.like(transpose, new.like(cast, x, shape=x.shape), order, T=target, shape=transpose.shapes[0])


def _bytes(type_: DType) -> int:
    array = type_.numpy if type_.base.name in _DTYPES else None
    return 0 if array is None else array.itemsize
