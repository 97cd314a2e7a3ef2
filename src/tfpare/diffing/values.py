"""Attributes and tensors: when two are equal, how far two are apart, how one is shown."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Hashable
from typing import Any, cast

import numpy as np

from tfpare.diffing.types import ValueChange
from tfpare.io.attrs import is_splat
from tfpare.ir.types import Array, Attr, DType, Func, Raw, Shape

_CHUNK = 1 << 20  # entries at a time: a repeated value may claim more of them than memory holds
_SHOWN_ENTRIES = 4
_SHOWN_CHARACTERS = 200


def attr_key(value: Attr) -> Hashable:
    """Equal for equal values only: True is not 1, 0.0 is not -0.0, NaN is NaN of the same bits."""
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, np.ndarray):
        return "tensor", _array_key(value)
    if isinstance(value, tuple):
        return "list", tuple(attr_key(v) for v in value)
    if isinstance(value, Func):
        return "func", value.name, tuple((k, attr_key(v)) for k, v in value.attrs)
    return type(value).__name__, value


def _array_key(array: Array) -> Hashable:
    """Whatever the encoding: a value that is stored once and one that is written out are the same tensor."""
    array = _plain(array)
    hashed = hashlib.blake2b(digest_size=16)
    entries = array.reshape(-1)[:1] if array.size and _is_repeated(array) else array
    for start in range(0, entries.size, _CHUNK):
        part = _part(entries, start)
        if part.dtype.kind != "O":
            hashed.update(part.tobytes())
            continue
        for text in part:
            hashed.update(struct.pack("<q", len(text)) + text)
    return str(array.dtype), array.shape, entries.size, hashed.digest()


def _is_repeated(array: Array) -> bool:
    return not any(array.strides) if array.dtype.kind == "O" else is_splat(array)


def compare_values(a: Array, b: Array) -> ValueChange | None:
    """How two tensors differ; None where dtype, shape and every bit are equal."""
    a, b = _plain(a), _plain(b)
    described_a, described_b = described(a), described(b)
    if a.shape != b.shape:
        return ValueChange(described_a, described_b)
    size = a.size
    if size and not any(a.strides) and not any(b.strides):
        a, b = a.reshape(-1)[:1], b.reshape(-1)[:1]
    unequal, gaps = 0, list[float]()
    for start in range(0, a.size, _CHUNK):
        one, other = _part(a, start), _part(b, start)
        differ = _differ(one, other)
        count = int(differ.sum())
        if count:
            unequal += count
            gaps.extend(_gap(one[differ], other[differ]))
    if not unequal and a.dtype == b.dtype:
        return None
    largest = float(np.max(gaps)) if gaps else 0.0 if not unequal and _is_number(a) and _is_number(b) else None
    return ValueChange(described_a, described_b, size, unequal * (size // a.size) if a.size else 0, largest)


def _differ(a: Array, b: Array) -> Array:
    if a.dtype == b.dtype and a.dtype.kind != "O":
        bits_a, bits_b = _bits(a), _bits(b)
        return np.zeros(a.size, bool) if np.array_equal(bits_a, bits_b) else (bits_a != bits_b).any(axis=1)
    if _is_number(a) and _is_number(b):
        wide_a, wide_b = _wide(a), _wide(b)
        return (wide_a != wide_b) & ~(np.isnan(wide_a) & np.isnan(wide_b))
    return np.fromiter((type(x) is not type(y) or x != y for x, y in zip(a, b, strict=True)), bool, a.size)


def _gap(a: Array, b: Array) -> list[float]:
    """The largest of some differences, in a list; an empty list for what cannot be subtracted."""
    if not (_is_number(a) and _is_number(b)):
        return []
    if a.dtype == b.dtype and a.dtype.kind in "iu":  # modulo 2^64 the distance of any two is exact
        return [float((np.maximum(a, b).astype(np.uint64) - np.minimum(a, b).astype(np.uint64)).max())]
    with np.errstate(all="ignore"):
        return [float(np.abs(_wide(a) - _wide(b)).max())]


def _is_number(array: Array) -> bool:
    return array.dtype.kind not in "ObSU"


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _bits(array: Array) -> Array:
    untyped: Any = np.ascontiguousarray(array)  # NumPy's stubs cannot tell what `view` gives
    return untyped.view(np.uint8).reshape(array.size, array.dtype.itemsize)


def _part(array: Array, start: int) -> Array:
    untyped: Any = array
    flat = untyped.reshape(-1) if array.flags.c_contiguous else untyped.flat
    return flat[start : start + _CHUNK]


def _plain(array: Array) -> Array:
    """Quantized integers come with a field of their own name; their bits are those of the integer."""
    untyped: Any = array
    return untyped[array.dtype.names[0]] if array.dtype.names else array


def described(array: Array) -> str:
    """`float32[3,3,8]`."""
    name = "string" if array.dtype.kind == "O" else str(array.dtype)
    return f"{name}[{','.join(map(str, array.shape))}]"


def shown(value: Attr) -> str:
    """One line for reports."""
    text = _text(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _text(value: Attr) -> str:
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_text(v) for v in value)}]"
    if isinstance(value, Func):
        return value.name
    if isinstance(value, Raw):
        return f"{len(value.data)} bytes"
    if isinstance(value, (DType, Shape)):
        return str(value)
    return repr(value) if isinstance(value, str) else str(value)


def _array_text(array: Array) -> str:
    array = _plain(array)
    entries = cast("list[object]", _part(array, 0)[:_SHOWN_ENTRIES].tolist())
    listed = [f"{e:.6g}" if isinstance(e, float) else str(e) for e in entries]
    if array.size > _SHOWN_ENTRIES:
        listed.append("…")
    return " ".join([described(array), ", ".join(listed)]) if listed else described(array)
