"""Quantiles of Student's distribution, for intervals of means."""

from __future__ import annotations

import math
from statistics import NormalDist

_SERIES_FROM = 100  # degrees of freedom; from there on four terms are good to nine digits


def student_t(freedom: int, level: float) -> float:
    """The t with P(|T| ≤ t) = level for whole degrees of freedom.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3, 26.7.4 and 26.7.5.
    """
    return _series(freedom, level) if freedom >= _SERIES_FROM else _bisect(freedom, level)


def _series(freedom: int, level: float) -> float:
    """The normal quantile plus four terms in 1/degrees."""
    z, v = NormalDist().inv_cdf(0.5 + level / 2), float(freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / v + second / v**2 + third / v**3 + fourth / v**4


def _bisect(freedom: int, level: float) -> float:
    low, high = 0.0, 1e6
    while high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Probability of −t to t: a finite sum, since the degrees of freedom are a whole number."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2 == 1
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(2 if odd else 1, freedom, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total
