"""What samples say: distributions summed up, ratios with an interval, and a verdict that noise does not make."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfpare.ir.types import Array
from tfpare.measure.types import MAX_SAMPLES, Interval, Latency, Verdict
from tfpare.student import student_t

_RESAMPLES = 2000


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


def ratio_interval(log_ratios: Sequence[Sequence[float]], seed: int = 0, confidence: float = 0.95) -> Interval:
    """The ratio that pairs agree on: exp of the mean over processes of the median over pairs of log(b / a).

    Two things make it uncertain, and the interval is the wider of theirs. Pairs scatter: a bootstrap draws the pairs of
    each process with replacement. And a process has luck of its own that all its pairs share (where its memory lies,
    how its threads settled): Student's t from the spread of the processes' medians. The bootstrap alone would call
    luck a difference; t alone is too sure of itself where few processes agree by chance.

    Args:
        log_ratios: for each pair of processes, log(b / a) of each pair of turns.
        seed: of the resampling.
        confidence: of the interval.
    """
    groups = [np.asarray(g, np.float64) for g in log_ratios if len(g)]
    if not groups:
        return Interval(math.nan, math.nan, math.nan, confidence)
    medians: Array = np.asarray([float(np.median(g)) for g in groups])
    estimate = float(medians.mean())
    if len(groups) < 2:
        # One process says nothing about the luck of processes.
        return Interval(math.exp(estimate), 0.0, math.inf, confidence)
    half = student_t(len(groups) - 1, confidence) * float(medians.std(ddof=1)) / math.sqrt(len(groups))
    low, high = _bootstrap(groups, np.random.default_rng(seed), confidence)
    low, high = min(low, estimate - half), max(high, estimate + half)
    return Interval(math.exp(estimate), math.exp(low), math.exp(high), confidence)


def _bootstrap(groups: Sequence[Array], rng: np.random.Generator, confidence: float) -> tuple[float, float]:
    """Percentile interval of the mean of medians, pairs drawn with replacement within each process."""
    drawn = np.mean([_medians_of_resamples(g, rng) for g in groups], axis=0)
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def _medians_of_resamples(group: Array, rng: np.random.Generator) -> Array:
    return np.median(group[rng.integers(len(group), size=(_RESAMPLES, len(group)))], axis=1)


def verdict(interval: Interval, min_effect: float) -> Verdict:
    """A difference is called one when the interval excludes 1 and the ratio is at least `min_effect` away from it.

    Both directions are judged alike: a ratio and its reciprocal get opposite verdicts.
    """
    if interval.low > 1 and interval.value >= 1 + min_effect:
        return Verdict.SLOWER
    if interval.high < 1 and interval.value <= 1 / (1 + min_effect):
        return Verdict.FASTER
    return Verdict.NONE
