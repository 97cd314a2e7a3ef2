"""Casts that change nothing → gone."""

from __future__ import annotations

from tfpare.authoring import Builder, DType, Effect, Node, Value, any_, op, require, rewrite

# What an integer of so many bits fits into without loss: the significand has at least that many.
_SIGNIFICAND = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
_BITS = {"8": 8, "16": 16, "32": 32, "64": 64}
_WIDER = {"float16": ("float32", "float64"), "bfloat16": ("float32", "float64"), "float32": ("float64",)}


@rewrite(op("Cast", any_("x"), bind="cast"), effect=Effect.EXACT)
def remove_redundant_cast(new: Builder, cast: Node, x: Value) -> Value | None:
    """Cast(x, type of x) = x.

    Before:
        x = input(float32[?,8])
        c = Cast(x, DstT=float32)
        y = Relu(c)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: never by itself; a cast to another type does not match.
    Source: Grappler's arithmetic optimizer (RemoveRedundantBitcast, RemoveCast).
    """
    return x if cast["DstT"] == x.dtype.base else None


@rewrite(op("Cast", op("Cast", any_("x"), bind="wide"), bind="back"), effect=Effect.EXACT, shares=("wide",))
def remove_cast_there_and_back(new: Builder, back: Node, wide: Node, x: Value) -> Value | None:
    """Cast(Cast(x, wider), type of x) = x.

    Before:
        x = input(float16[?,8])
        w = Cast(x, DstT=float32)
        b = Cast(w, DstT=float16)
        y = Relu(b)
        return y

    After:
        x = input(float16[?,8])
        y = Relu(x)
        return y

    Declines when: the type between does not hold every value; TensorFlow's conversion turns denormal numbers into 0
    (float32 or bfloat16 to float64: `remove_float_cast_there_and_back`).
    Source: Grappler's arithmetic optimizer (RemoveRedundantCast).
    """
    if back.dtypes[0] != x.dtype.base:
        return None
    require(_holds(wide.dtypes[0], x.dtype.base), f"{wide.dtypes[0]} does not hold every {x.dtype.base}", at=wide)
    require(not _flushes(wide, x), "the conversion to float64 loses denormal numbers", at=wide)
    return x


@rewrite(op("Cast", op("Cast", any_("x"), bind="wide"), bind="back"), effect=Effect.ROUNDING, shares=("wide",))
def remove_float_cast_there_and_back(new: Builder, back: Node, wide: Node, x: Value) -> Value | None:
    """Cast(Cast(x, float64), type of x) = x for float32 and bfloat16, up to denormal numbers.

    Before:
        x = input(float32[?,8])
        w = Cast(x, DstT=float64)
        b = Cast(w, DstT=float32)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: never by itself; other types are `remove_cast_there_and_back`'s.
    Source: Grappler's arithmetic optimizer (RemoveRedundantCast). TensorFlow's threads turn denormal numbers into 0.
    """
    return x if back.dtypes[0] == x.dtype.base and _flushes(wide, x) else None


def _flushes(wide: Node, x: Value) -> bool:
    return wide.dtypes[0].name == "float64" and x.dtype.base.name in ("float32", "bfloat16")


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether each value of `narrow` is a value of `wide`."""
    if narrow.is_float:
        return wide.name in _WIDER.get(narrow.name, ())
    if narrow.name == "bool":
        return wide.is_float or wide.is_integer
    if not narrow.is_integer:
        return False
    if wide.is_float:
        return _bits(narrow) <= _SIGNIFICAND.get(wide.name, 0)
    room = _bits(wide) - _bits(narrow)
    # Integer conversions wrap around, so the sign does not matter on the way back.
    return wide.is_integer and room >= 0


def _bits(type_: DType) -> int:
    return _BITS.get(type_.name.removeprefix("u").removeprefix("int"), 99)
