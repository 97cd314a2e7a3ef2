"""8-bit numbers: the grid of an activation, the scales of a kernel, and how far two signals are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.ir.types import Array
from tfpare.precision.rounding import round_keeping_sums

LEVELS = 255  # steps between the lowest and the highest unsigned 8-bit value
WEIGHT_LIMIT = 127  # kernels use −127…127, so that −x is always as exact as x
REDUCED_LIMIT = 64  # 255 · 64 + 255 · 64 = 32640 fits an int16, in which CPUs without VNNI add two products
# A range below this is a constant as far as 8 bits can tell; above the largest, 255 steps overflow float32.
_NARROWEST, _WIDEST = 1e-30, 1e37


@dataclass(frozen=True, slots=True)
class Grid:
    """The 256 numbers that an activation may have: x = (q − zero_point) · scale, q in 0…255.

    0 is one of them, so that padding is exact.
    """

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """The least number."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """The greatest number."""
        return (LEVELS - self.zero_point) * self.scale

    @property
    def width(self) -> float:
        """The distance from the least to the greatest number, which unsigned kernels without a zero point count as."""
        return LEVELS * self.scale


def grid_of(low: float, high: float) -> Grid:
    """The grid over a range: scale = (high − low) / 255 and zero_point = round(−low / scale), with 0 in the range.

    The zero point is whole: both ends move by up to half a step, in the same direction.

    Args:
        low: the least of the values that have to be told apart; finite, as is
        high: the greatest.

    Raises:
        ValueError: the range is not finite, or too wide for float32.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if not np.isfinite(low) or not np.isfinite(high) or high - low > _WIDEST:
        raise ValueError(f"[{low}, {high}] is no range for 8 bits")
    if high - low < _NARROWEST:
        return Grid(1.0 / LEVELS, 0)
    scale = (high - low) / LEVELS
    return Grid(float(np.float32(scale)), int(np.clip(np.rint(-low / scale), 0, LEVELS)))


def quantize(values: Array, grid: Grid) -> Array:
    """q = clip(round(x / scale) + zero_point, 0, 255) as uint8; halves go to the even number."""
    return np.clip(np.rint(values.astype(np.float64) / grid.scale) + grid.zero_point, 0, LEVELS).astype(np.uint8)


def dequantize(values: Array, grid: Grid) -> Array:
    """(q − zero_point) · scale in float32."""
    return ((values.astype(np.float64) - grid.zero_point) * grid.scale).astype(np.float32)


@dataclass(frozen=True, slots=True)
class QuantizedKernel:
    """A kernel as w = q · scale[c] for output channel c.

    Attributes:
        values: int8, the kernel's own shape.
        scales: [channels] float32.
        sums: Σ q over all but the output channel, [channels] int64; what a zero point of the input adds.
    """

    values: Array
    scales: Array
    sums: Array

    @property
    def ranges(self) -> Array:
        """The magnitude that 127 stands for, [channels] float32."""
        return (self.scales.astype(np.float64) * WEIGHT_LIMIT).astype(np.float32)

    def dequantized(self, axes: tuple[int, ...]) -> Array:
        """The kernel in float64; `axes` are those that the output channels lie along."""
        return self.values.astype(np.float64) * _along(self.scales.astype(np.float64), self.values, axes)


def quantize_kernel(
    kernel: Array, axes: tuple[int, ...], *, per_channel: bool = True, limit: int = WEIGHT_LIMIT
) -> QuantizedKernel:
    """Symmetric, per channel: scale[c] = max |w[…, c]| / limit, q = w / scale[c], rounded so that Σ q stays.

    Args:
        kernel: floats of any shape.
        axes: the axes that the output channels lie along, in order ((3,) for HWIO, (2, 3) for a depthwise HWIM).
        per_channel: False gives all channels the largest scale.
        limit: the largest |q|.

    Raises:
        ValueError: NaN, infinity, or magnitudes beyond float32.
    """
    wide = kernel.astype(np.float64)
    rest = tuple(k for k in range(wide.ndim) if k not in axes)
    magnitude = np.abs(wide).max(axis=rest, initial=0.0).reshape(-1)
    if not np.isfinite(magnitude).all() or (magnitude > _WIDEST).any():
        raise ValueError("the kernel holds NaN, infinities or huge numbers")
    if not per_channel:
        magnitude = np.full_like(magnitude, magnitude.max(initial=0.0))
    magnitude = np.where(magnitude < _NARROWEST, 1.0, magnitude)  # a channel of zeros
    scales = (magnitude / limit).astype(np.float32)
    quotient = wide / _along(scales.astype(np.float64), wide, axes)

    def nearest(values: Array) -> Array:
        return np.clip(np.rint(values), -limit, limit)

    def neighbour(values: Array, toward: Array) -> Array:
        return np.clip(values + np.sign(toward), -limit, limit)

    values = round_keeping_sums(quotient, axes, nearest, neighbour).astype(np.int8)
    return QuantizedKernel(values, scales, values.sum(axis=rest, dtype=np.int64).reshape(-1))


def _along(vector: Array, array: Array, axes: tuple[int, ...]) -> Array:
    shape = [array.shape[k] if k in axes else 1 for k in range(array.ndim)]
    return vector.reshape(shape)


def sqnr_db(reference: Array, other: Array) -> float:
    """Signal to quantization noise: 10 · log10(Σ x² / Σ (x − y)²), infinite where they are equal."""
    signal = reference.astype(np.float64)
    noise = float(np.square(signal - other.astype(np.float64)).sum())
    power = float(np.square(signal).sum())
    if noise == 0.0:
        return float("inf")
    return -float("inf") if power == 0.0 else 10.0 * float(np.log10(power / noise))
