"""How far two arrays are apart: absolute, relative, in units in the last place, and in the class they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tfpare.ir.types import Array, dtype_of

# Reassociated sums of a few hundred layers stay within these, relative to the output's largest magnitude. Each is some
# hundred times the type's own rounding (2^-24, 2^-53, 2^-11, 2^-8), less for the narrow types, which have no room.
_TOLERANCES = {
    "float32": 1e-5,
    "complex64": 1e-5,
    "float64": 1e-12,
    "complex128": 1e-12,
    "float16": 1e-2,
    "bfloat16": 5e-2,
}
_NARROW_TOLERANCE = 0.25  # float8: two or three bits of mantissa
_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}


@dataclass(slots=True)
class ArrayDifference:
    """One pair of arrays.

    Attributes:
        problem: why they differ, empty where they agree within the tolerance.
        max_abs, max_rel, max_ulp: over finite entries; max_rel is relative to the first array's largest magnitude.
        signal, noise: sums of squares over finite entries, of the first array and of the difference (floats only).
        same_top1, rows: rows whose largest entry is at the same place, of how many (2-D floats; else 0 of 0).
        equal, entries: entries that are equal, of how many (exact types of one shape; else 0 of 0).
        informative: whether there was something to compare (not empty, not NaN everywhere).
    """

    problem: str = ""
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    signal: float = 0.0
    noise: float = 0.0
    same_top1: int = 0
    rows: int = 0
    equal: int = 0
    entries: int = 0
    informative: bool = True


def tolerance_of(type_: str, given: float | None) -> float:
    """Allowed max |difference| relative to the output's largest magnitude, for a dtype name; 0 for exact types."""
    if not type_.startswith(("float", "bfloat", "complex")):
        return 0.0
    if given is not None:
        return given
    return _TOLERANCES.get(type_, _NARROW_TOLERANCE)


def difference(before: Array, after: Array, tolerance: float | None) -> ArrayDifference:
    """Compares two answers.

    Args:
        before: array of any dtype and shape; strings are object arrays of bytes.
        after: its counterpart.
        tolerance: relative to the largest finite magnitude of `before`, None for the dtype's own; 0 demands equal bits
            (but any NaN equals any NaN).
    """
    type_, other = dtype_of(before).name, dtype_of(after).name
    if type_ != other:
        return ArrayDifference(f"the dtype is {other}, was {type_}")
    if before.shape != after.shape:
        return ArrayDifference(f"the shape is {list(after.shape)}, was {list(before.shape)}")
    if type_.startswith(("float", "bfloat", "complex")):
        return _floats(before, after, tolerance_of(type_, tolerance))
    return _exact(before, after, type_)


def _exact(before: Array, after: Array, type_: str) -> ArrayDifference:
    result = ArrayDifference(informative=before.size > 0)
    unequal = np.asarray(before != after)
    count = int(unequal.sum())
    result.equal, result.entries = before.size - count, before.size
    if not count:
        return result
    where = tuple(int(k) for k in np.argwhere(unequal)[0])
    result.problem = (
        f"{count} of {before.size} entries differ, the first at {list(where)}: "
        f"{_shown(after[where])}, was {_shown(before[where])}"
    )
    if type_.startswith(("int", "uint")):
        gaps = np.abs(after[unequal].astype(np.float64) - before[unequal].astype(np.float64))
        result.max_abs = float(gaps.max())
        result.max_rel = result.max_abs / max(float(np.abs(before.astype(np.float64)).max()), 1.0)
    return result


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _floats(before: Array, after: Array, tolerance: float) -> ArrayDifference:
    a, b = _real_parts(before), _real_parts(after)
    result = ArrayDifference(informative=bool(a.size) and not bool(np.isnan(a).all()))
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    result.problem = _special_values(wide_a, wide_b)
    finite = np.isfinite(wide_a) & np.isfinite(wide_b)
    if finite.any():
        gaps, scale = np.abs(wide_a[finite] - wide_b[finite]), _scale(a, wide_a)
        result.max_abs = float(gaps.max())
        result.max_rel = float(result.max_abs / scale)
        result.max_ulp = _ulps(a[finite], b[finite])
        with np.errstate(over="ignore"):  # the square of a float64 may be infinite
            result.signal, result.noise = float(np.square(wide_a[finite]).sum()), float(np.square(gaps).sum())
    result.same_top1, result.rows = _top1(before, wide_a, wide_b)
    result.problem = result.problem or _beyond(a, b, result, tolerance)
    return result


def _real_parts(array: Array) -> Array:
    """Complex numbers as pairs of real ones; contiguous, at least one dimension."""
    flat: Array = np.ascontiguousarray(array)
    if array.dtype.kind != "c":
        return flat
    return _view(flat, np.float32 if array.dtype.itemsize == 8 else np.float64)


def _view(array: Array, type_: Any) -> Array:
    untyped: Any = array  # NumPy's stubs cannot tell what `view` gives
    return untyped.view(type_)


def _scale(a: Array, wide: Array) -> float:
    """The largest finite magnitude, but no less than what kernels that flush denormals to zero can tell from zero."""
    finfo: Any = ml_dtypes.finfo
    info = finfo(a.dtype)
    finite = np.abs(wide[np.isfinite(wide)])
    return max(float(finite.max(initial=0.0)), float(info.smallest_normal) / float(info.eps))


def _special_values(a: Array, b: Array) -> str:
    """NaN and infinities have to be at the same places."""
    for name, of_a, of_b in (
        ("NaN", np.isnan(a), np.isnan(b)),
        ("+inf", np.isposinf(a), np.isposinf(b)),
        ("-inf", np.isneginf(a), np.isneginf(b)),
    ):
        if not np.array_equal(of_a, of_b):
            return (
                f"{name} is at {int(of_b.sum())} places, was at {int(of_a.sum())}, {int((of_a != of_b).sum())} differ"
            )
    return ""


def _ulps(a: Array, b: Array) -> float:
    """Largest distance in representable numbers; NaN where the type has no integer of its width to count with."""
    integer = _INTEGERS.get(a.dtype.itemsize)
    if integer is None:
        return float("nan")
    lines: list[Array] = []
    for array in (a, b):
        bits = _view(np.ascontiguousarray(array), integer)
        # Negative floats count downwards from zero, so that neighbours differ by one across it too.
        lines.append(np.where(bits < 0, np.iinfo(integer).min - bits, bits).astype(np.int64))
    high, low = np.maximum(*lines), np.minimum(*lines)
    return float((_view(high, np.uint64) - _view(low, np.uint64)).max())  # unsigned: the distance may need 64 bits


def _top1(array: Array, a: Array, b: Array) -> tuple[int, int]:
    is_scores = array.ndim == 2 and array.shape[-1] >= 2 and array.shape[0] > 0 and array.dtype.kind != "c"
    if not is_scores or a.shape != array.shape:
        return 0, 0
    return int((a.argmax(-1) == b.argmax(-1)).sum()), array.shape[0]


def _beyond(a: Array, b: Array, found: ArrayDifference, tolerance: float) -> str:
    if tolerance > 0:
        if found.max_rel <= tolerance:
            return ""
        share = f"{found.max_rel:.3g} of the largest magnitude, allowed {tolerance:g}"
        return f"largest difference {found.max_abs:.3g} ({share})"
    bits = np.dtype(f"u{a.dtype.itemsize}")
    unequal = (_view(a, bits) != _view(b, bits)) & ~(np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64)))
    count = int(unequal.sum())
    return f"{count} of {a.size} entries differ in their bits, by up to {found.max_abs:.3g}" if count else ""
