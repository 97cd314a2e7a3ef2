"""Mean and spread of values that come batch by batch, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.ir.types import Array


@dataclass(slots=True)
class Moments:
    """Count, mean and sum of squared deviations from the mean."""

    samples: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Of some values."""
        wide = np.asarray(values, np.float64).ravel()
        if wide.size == 0:
            return cls()
        mean = float(wide.mean())
        return cls(wide.size, mean, float(((wide - mean) ** 2).sum()))

    def add(self, other: Moments) -> None:
        """Joins two groups.

        Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
            1979.
        """
        if other.samples == 0:
            return
        both = self.samples + other.samples
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.samples * other.samples / both
        self.mean += apart * other.samples / both
        self.samples = both
