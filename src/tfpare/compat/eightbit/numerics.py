"""Ranges, 8-bit values and buckets of arrays, as the runtime's kernels understand them."""

from __future__ import annotations

import numpy as np

from tfpare.ir.types import Array

LEVELS = 255  # steps between the lowest and the highest 8-bit value
# 255 / range has to be a float32, and so has the range itself.
_SMALLEST_RANGE, _LARGEST_RANGE = 1e-36, 3e38
_MIN_SLICE = 16  # elements: the range of a slice takes 8 bytes, which would cost the gain of fewer


def quantizable_range(values: Array) -> tuple[float, float] | None:
    """Lowest and highest value, widened to contain 0 (which then is exact); None where 8 bits cannot hold the array.

    Zeros alone have the range [0, 1].

    Args:
        values: float32, any shape.
    """
    if not values.size or not np.isfinite(values).all():
        return None
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        return 0.0, 1.0
    return (low, high) if _SMALLEST_RANGE < high - low < _LARGEST_RANGE else None


def to_eight_bits(values: Array, low: float, high: float) -> Array:
    """Values as the uint8 q that Dequantize in mode MIN_FIRST reads as (q + round(low·s)) / s, s = 255 / (high − low).

    0 keeps its value: it is quantized to −round(low·s).
    """
    scale = LEVELS / (high - low)
    shift = _round(np.array(low * scale, np.float64))
    return np.clip(_round(values.astype(np.float64) * scale) - shift, 0, LEVELS).astype(np.uint8)


def axis_of_outliers(values: Array) -> int | None:
    """The axis whose slices need ranges of their own; None where one range serves the whole array.

    It does not where an outlier leaves most slices less than 4 of the 8 bits.

    Args:
        values: float32, finite, any shape.
    """
    magnitudes, best = np.abs(values.astype(np.float64)), None
    for axis in range(values.ndim):
        peaks = _peaks(magnitudes, axis)
        nonzero = peaks[peaks > 0]
        if values.size < _MIN_SLICE * len(peaks) or not len(nonzero) or np.median(nonzero) * 16 >= peaks.max():
            continue
        error = float(np.mean(peaks**2))
        if best is None or error <= best[0]:
            best = error, axis
    return None if best is None else best[1]


def to_signed_slices(values: Array, axis: int) -> tuple[Array, Array]:
    """Values as int8 that Dequantize in mode SCALED reads as q·peak / 127, with a peak for each slice along an axis.

    Returns:
        the int8 array, and the peaks [n] float32: the largest magnitude of each slice, 1 where all is 0.
    """
    peaks = _peaks(np.abs(values), axis).astype(np.float32)
    peaks[peaks == 0] = 1
    shape = [-1 if k == axis else 1 for k in range(values.ndim)]
    return _round(values.astype(np.float64) * 127 / peaks.reshape(shape)).astype(np.int8), peaks


def _peaks(magnitudes: Array, axis: int) -> Array:
    return magnitudes.max(axis=tuple(k for k in range(magnitudes.ndim) if k != axis))


def _round(values: Array) -> Array:
    """Halves away from zero, as the kernels do; NumPy rounds them to even."""
    return np.trunc(values + np.copysign(0.5, values))


def round_to_buckets(values: Array, n_buckets: int) -> Array:
    """Each value becomes the middle of its bucket, of `n_buckets` equal ones between the lowest and the highest value.

    Equal values, NaN and infinities stay as they are.

    Args:
        values: float32, any shape.
        n_buckets: at least 1.
    """
    is_finite = np.isfinite(values)
    if not is_finite.any():
        return values
    wide = np.where(is_finite, values, 0).astype(np.float64)
    low, high = wide[is_finite].min(), wide[is_finite].max()
    if low == high:
        return values
    width = (high - low) / n_buckets
    bucket = np.minimum(np.floor((wide - low) / width), n_buckets - 1)
    return np.where(is_finite, low + (bucket + 0.5) * width, values).astype(values.dtype)
