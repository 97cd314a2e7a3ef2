"""What samples say: distributions summed up, ratios with an interval, and a verdict that noise does not make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from tfpare.ir.types import Array
from tfpare.measure.types import MAX_SAMPLES, Interval, Latency, Verdict

_RESAMPLES = 4000
_CONFIDENCE = 0.95
# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom (any table).
_STUDENT_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


def summarize(samples_ms: Sequence[float]) -> Latency:
    """The distribution of times, milliseconds; percentiles are interpolated."""
    array = np.asarray(samples_ms, np.float64)
    p50, p90, p95, p99 = (float(p) for p in np.percentile(array, (50, 90, 95, 99)))
    mean, std = float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return Latency(
        count=len(array),
        min_ms=float(array.min()),
        median_ms=p50,
        mean_ms=mean,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(array.max()),
        std_ms=std,
        cv=std / mean if mean > 0 else 0.0,
    )


def thin(groups: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """At most `MAX_SAMPLES` of all samples, every k-th of each group in order, and how many are left of each group."""
    step = max(1, math.ceil(sum(len(g) for g in groups) / MAX_SAMPLES))
    kept = [[round(s, 6) for s in g[::step]] for g in groups]
    return tuple(s for g in kept for s in g), tuple(len(g) for g in kept)


def ratio_interval(log_ratios: Sequence[Sequence[float]], seed: int = 0) -> Interval:
    """The ratio that pairs agree on, with a 95 % interval from a two-level bootstrap.

    The estimate is exp of the mean over processes of the median over pairs of log(b / a). A process has luck of its own
    (where its memory lies, how its threads settle) that all its pairs share; therefore whole processes are drawn with
    replacement first, then pairs within them. With few processes such an interval is too narrow, so its percentiles
    are moved out as Student's t is wider than the normal distribution ("expanded percentile interval").

    Args:
        log_ratios: for each pair of processes, log(b / a) of each pair of turns.
        seed: of the resampling.

    Source: Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69 (2015), section 5.
    """
    groups = [np.asarray(g, np.float64) for g in log_ratios if len(g)]
    if not groups:
        return Interval(math.nan, math.nan, math.nan)
    estimate = float(np.mean([np.median(g) for g in groups]))
    if len(groups) < 2:
        return Interval(math.exp(estimate), 0.0, math.inf)  # one process says nothing about the luck of processes
    drawn = _resampled(groups, np.random.default_rng(seed))
    low, high = np.quantile(drawn, _expanded_tails(len(groups)))
    return Interval(math.exp(estimate), math.exp(min(float(low), estimate)), math.exp(max(float(high), estimate)))


def _resampled(groups: Sequence[Array], rng: np.random.Generator) -> Array:
    """`[_RESAMPLES] float64`: estimates from processes, and pairs within them, drawn with replacement."""
    medians = np.stack([_medians_of_resamples(g, rng) for g in groups])
    columns = np.arange(_RESAMPLES)
    drawn = np.zeros(_RESAMPLES)
    for _ in groups:  # a process that is drawn twice has the same pairs in both places, which only widens the interval
        drawn += medians[rng.integers(len(groups), size=_RESAMPLES), columns]
    return drawn / len(groups)


def _medians_of_resamples(group: Array, rng: np.random.Generator) -> Array:
    return np.median(group[rng.integers(len(group), size=(_RESAMPLES, len(group)))], axis=1)


def _expanded_tails(processes: int) -> tuple[float, float]:
    freedom = processes - 1
    t = _STUDENT_T[freedom - 1] if freedom <= len(_STUDENT_T) else 1.96 + 2.5 / freedom  # within 0.002 of the quantile
    tail = NormalDist().cdf(-math.sqrt(processes / freedom) * t)
    return tail, 1.0 - tail


def verdict(interval: Interval, min_effect: float) -> Verdict:
    """A difference is called one when the interval excludes 1 and the ratio is at least `min_effect` away from it.

    Both directions are judged alike: a ratio and its reciprocal get opposite verdicts.
    """
    if interval.low > 1 and interval.value >= 1 + min_effect:
        return Verdict.SLOWER
    if interval.high < 1 and interval.value <= 1 / (1 + min_effect):
        return Verdict.FASTER
    return Verdict.NONE


def confidence_pct() -> int:
    """Of the intervals, percent."""
    return round(100 * _CONFIDENCE)
