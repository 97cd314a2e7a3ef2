"""Confidence intervals and tests for metrics: plain functions of counts and sums."""

from __future__ import annotations

import math
from statistics import NormalDist

from tfpare.evaluation.types import LEVEL, Interval
from tfpare.student import student_t

# Exact sums of so many binomial terms take a millisecond; above, the normal approximation is good to four digits.
_EXACT_UP_TO = 1000


def normal_quantile(level: float = LEVEL) -> float:
    """z with P(|Z| ≤ z) = level for a standard normal Z."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def two_sided_p(z: float) -> float:
    """P(|Z| ≥ |z|) for a standard normal Z."""
    return math.erfc(abs(z) / math.sqrt(2))


def wilson(hits: int, samples: int, level: float = LEVEL) -> Interval:
    """Interval of a proportion: all p with |hits/n − p| ≤ z·sqrt(p(1 − p)/n).

    It stays within 0 and 1 and has a width where all or no samples are hits.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    z2 = normal_quantile(level) ** 2
    share = hits / samples
    centre = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = math.sqrt(z2 * (share * (1 - share) / samples + z2 / (4 * samples**2))) / (1 + z2 / samples)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == samples else min(1.0, centre + half)
    return Interval(low, high, "Wilson", level)


def mean_interval(mean: float, squares: float, samples: int, level: float = LEVEL) -> Interval | None:
    """Interval of a mean: mean ± t·sqrt(squares / (n − 1) / n); None with fewer than two samples.

    Args:
        mean: of the samples.
        squares: sum of the squared deviations from it.
        samples: how many.
        level: of confidence.
    """
    if samples < 2 or not math.isfinite(mean):
        return None
    half = student_t(samples - 1, level) * math.sqrt(squares / (samples - 1) / samples)
    return Interval(mean - half, mean + half, "Student's t", level)


def mcnemar_p(lost: int, gained: int) -> tuple[float, str]:
    """Probability of such an unequal split of the discordant samples if each side were equally likely; the method.

    Exact (two-sided binomial) for up to 1000 discordant samples, then normal with continuity correction.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, 1947.
    """
    n, fewer = lost + gained, min(lost, gained)
    if n <= _EXACT_UP_TO:
        tail = sum(math.comb(n, k) for k in range(fewer + 1))
        return min(1.0, 2 * tail / 2**n), "McNemar, exact binomial"
    return two_sided_p(max(0.0, abs(lost - gained) - 1) / math.sqrt(n)), "McNemar, normal with continuity correction"


def paired_proportions_interval(lost: int, gained: int, samples: int, level: float = LEVEL) -> Interval:
    """Interval of (gained − lost) / n: Wald's with one sample added to both discordant cells.

    Source: Bonett and Price, Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data, 2012.
    """
    n = samples + 2
    up, down = (gained + 1) / n, (lost + 1) / n
    half = normal_quantile(level) * math.sqrt(max(0.0, up + down - (up - down) ** 2) / n)
    return Interval(max(-1.0, up - down - half), min(1.0, up - down + half), "Bonett-Price", level)


def paired_mean_p(mean: float, squares: float, samples: int) -> float:
    """Probability of so large a mean difference if the true one were 0: normal approximation; 1 where all are 0."""
    if samples < 2 or mean == 0 or not math.isfinite(mean):
        return 1.0
    error = math.sqrt(squares / (samples - 1) / samples)
    return two_sided_p(mean / error) if error > 0 else 0.0
