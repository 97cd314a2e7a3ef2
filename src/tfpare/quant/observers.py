"""What is remembered of a tensor that streams by: constant memory, whatever the number of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tfpare.ir.types import Array

BINS = 4096  # over [−radius, radius]; a range of an eighth of that still has 512 bins for its 256 numbers
_CHUNK = 1 << 15  # values that are counted at once: what is made of them stays in the processor's cache
_LEAST_RADIUS = 2.0**-100  # its reciprocal is a float32
_DECAY = 0.9  # of the moving average, a batch


def _no_counts() -> Array:
    return np.zeros(BINS, np.int64)


def _no_sums() -> Array:
    return np.zeros(0)


@dataclass(slots=True)
class Observer:
    """Extremes, their moving average over batches, means by channel, and a histogram over [−radius, radius].

    The radius is a power of 2; when a value lies outside, it doubles and pairs of bins become one, so that what was
    counted before stays exact.

    Attributes:
        keeps_histogram: whether the histogram is filled, which takes most of the time.
        low, high: least and greatest finite value so far.
        average_low, average_high: moving averages of those of each batch.
        batches: how many were seen.
        radius: of the histogram, 0 as long as there were only zeros.
        counts: [BINS] int64.
        rows: values that were seen of each channel, the last dimension.
        sums: of those, [channels] float64; empty where the last dimension is not always as long.
    """

    keeps_histogram: bool = False
    low: float = float("inf")
    high: float = float("-inf")
    average_low: float = 0.0
    average_high: float = 0.0
    batches: int = 0
    radius: float = 0.0
    counts: Array = field(default_factory=_no_counts)
    rows: int = 0
    sums: Array = field(default_factory=_no_sums)

    def update(self, values: Array) -> bool:
        """Adds a batch; False (and nothing added) where it holds NaN or infinities."""
        if not values.size:
            return True
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            return False
        share = _DECAY if self.batches else 0.0
        self.average_low = share * self.average_low + (1 - share) * low
        self.average_high = share * self.average_high + (1 - share) * high
        self._add_up(values)
        self.low, self.high, self.batches = min(self.low, low), max(self.high, high), self.batches + 1
        if self.keeps_histogram:
            self._count(values.ravel(), max(-low, high, 0.0))
        return True

    def _add_up(self, values: Array) -> None:
        if values.ndim < 2 or (self.batches and self.sums.size != values.shape[-1]):
            self.sums = _no_sums()
            return
        rows = values.reshape(-1, values.shape[-1])
        before = self.sums if self.batches else np.zeros(rows.shape[-1])
        self.sums = before + np.sum(rows, axis=0, dtype=np.float64)
        self.rows += len(rows)

    @property
    def means(self) -> Array | None:
        """Of each channel, [channels] float64; None where there are no channels."""
        return self.sums / self.rows if self.sums.size else None

    def _count(self, values: Array, magnitude: float) -> None:
        if self.radius == 0.0:
            if magnitude == 0.0:
                self.counts[BINS // 2] += values.size
                return
            self.radius = max(float(2.0 ** np.ceil(np.log2(magnitude))), _LEAST_RADIUS)
        while magnitude > self.radius:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts[:] = 0
            self.counts[BINS // 4 : BINS - BINS // 4] = merged
            self.radius *= 2
        for start in range(0, values.size, _CHUNK):
            position = values[start : start + _CHUNK].astype(np.float32)
            position *= np.float32(BINS / 2 / self.radius)
            position += np.float32(BINS / 2)
            np.clip(position, 0, BINS - 1, out=position)
            self.counts += np.bincount(position.astype(np.intp), minlength=BINS)

    @property
    def edges(self) -> Array:
        """The limits of the bins, [BINS + 1] float64."""
        return np.linspace(-self.radius, self.radius, BINS + 1)

    def state(self) -> Array:
        """All of it as one array of float64, which holds counts below 2^53 exactly."""
        head = [self.keeps_histogram, self.low, self.high, self.average_low, self.average_high]
        numbers = np.array([*head, self.batches, self.radius, self.rows], np.float64)
        return np.concatenate([numbers, self.counts, self.sums])

    @staticmethod
    def of(state: Array) -> Observer:
        """The observer that gave a state."""
        keeps, low, high, average_low, average_high, batches, radius, rows = (float(n) for n in state[:8])
        counts, sums = np.split(np.asarray(state[8:]), [BINS])
        return Observer(
            bool(keeps),
            low,
            high,
            average_low,
            average_high,
            int(batches),
            radius,
            counts.astype(np.int64),
            int(rows),
            sums,
        )


def merge_states(states: Mapping[str, Array]) -> dict[str, Observer]:
    """Observers by tensor name."""
    return {name: Observer.of(state) for name, state in states.items()}
