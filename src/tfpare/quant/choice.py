"""From what was seen of a tensor to the range that its 256 numbers cover."""

from __future__ import annotations

import numpy as np

from tfpare.ir.types import Array
from tfpare.quant.numerics import LEVELS, grid_of
from tfpare.quant.observers import Observer

Range = tuple[float, float]
"""Lowest and highest number; from data it is a `MeasuredRange`."""
_SHARES = np.linspace(0.2, 1.0, 81)  # of the whole range, that are tried


class MeasuredRange(tuple[float, float]):
    """A range, and what else is known of the values.

    Attributes:
        means: of each channel, the last dimension, [channels] float64; None where there are no channels.
    """

    means: Array | None

    def __new__(cls, limits: Range, means: Array | None) -> MeasuredRange:
        """The limits with the means."""
        made = super().__new__(cls, limits)
        made.means = means
        return made


def range_of(observer: Observer, calibration: str, percentile: float = 99.99) -> MeasuredRange | None:
    """The range by one of `tfpare.quant.options.CALIBRATIONS`; None where nothing was seen."""
    if not observer.batches:
        return None
    return MeasuredRange(_limits(observer, calibration, percentile), observer.means)


def _limits(observer: Observer, calibration: str, percentile: float) -> Range:
    if calibration == "moving-average":
        return observer.average_low, observer.average_high
    if calibration == "minmax" or observer.radius == 0.0:
        return observer.low, observer.high
    if calibration == "percentile":
        return _percentile(observer, percentile)
    counts, centers = _seen(observer)
    try:
        errors = {r: _square_error(counts, centers, r) for r in _ranges(observer)}
    except ValueError:  # too wide for any grid, which is said where one is made
        return observer.low, observer.high
    if calibration == "mse":
        return min(errors, key=errors.__getitem__)
    # Entropy knows no distances. Where a tensor has a few values that are frequent (a constant background behind a
    # bias), it takes a range so narrow that they lie on its steps, whatever is cut off: never at a higher price.
    whole = next(iter(errors.values()))
    return min((r for r in errors if errors[r] <= whole), key=lambda r: _divergence(counts, centers, r))


def _percentile(observer: Observer, percentile: float) -> Range:
    """The values that percentile % of all values do not exceed, on either side; never beyond the extremes."""
    total = np.cumsum(observer.counts)
    outside = (100.0 - percentile) / 100.0 * float(total[-1])
    edges = observer.edges
    low = edges[int(np.searchsorted(total, outside, side="right"))]
    high = edges[int(np.searchsorted(total, float(total[-1]) - outside, side="left")) + 1]
    return max(float(low), observer.low), min(float(high), observer.high)


def _seen(observer: Observer) -> tuple[Array, Array]:
    """The bins from the first to the last one that holds anything: their counts and their centers."""
    centers = (observer.edges[:-1] + observer.edges[1:]) / 2
    seen = np.flatnonzero(observer.counts)
    return observer.counts[seen[0] : seen[-1] + 1], centers[seen[0] : seen[-1] + 1]


def _ranges(observer: Observer) -> list[Range]:
    """Ranges to try, the widest first: of equal ones that is taken."""
    low, high = min(observer.low, 0.0), max(observer.high, 0.0)
    return [(low * share, high * share) for share in reversed(_SHARES.tolist())]


def _square_error(counts: Array, centers: Array, limits: Range) -> float:
    """Σ n(x) · (x − Q(x))², Q the nearest number of the grid over the range."""
    grid = grid_of(*limits)
    steps = np.clip(np.rint(centers / grid.scale) + grid.zero_point, 0, LEVELS)
    rounded = (steps - grid.zero_point) * grid.scale
    # Within a bin the values are taken to be even: what they lose at least is the step's own rounding.
    return float((counts * np.square(centers - rounded)).sum()) + float(counts.sum()) * grid.scale**2 / 12


def _divergence(counts: Array, centers: Array, limits: Range) -> float:
    """KL(P ‖ Q) = Σ P log(P / Q): P the histogram cut at the range, Q what is left of its shape in 256 numbers."""
    grid = grid_of(*limits)
    steps = np.clip(np.rint(centers / grid.scale) + grid.zero_point, 0, LEVELS).astype(np.int64)
    inside = (centers >= limits[0]) & (centers <= limits[1])
    # 0 is a number of every grid: the many zeros behind Relu say nothing of the range.
    kept = counts * (inside & (np.abs(centers) > np.diff(centers[:2]).sum()))
    if not kept.any():
        return float("inf")
    occupied = kept > 0
    mass = np.bincount(steps[inside], weights=kept[inside], minlength=LEVELS + 1)
    bins = np.bincount(steps[occupied], minlength=LEVELS + 1)
    approximation = np.where(occupied, mass[steps] / np.maximum(bins[steps], 1), 0.0)
    reference = kept.astype(np.float64)
    first, last = np.flatnonzero(inside)[[0, -1]]
    reference[first] += counts[:first].sum()  # what is cut off lands at the ends
    reference[last] += counts[last + 1 :].sum()
    p, q = reference / reference.sum(), approximation / max(float(approximation.sum()), 1e-300)
    counted = p > 0
    return float((p[counted] * np.log(p[counted] / np.maximum(q[counted], 1e-12))).sum())
