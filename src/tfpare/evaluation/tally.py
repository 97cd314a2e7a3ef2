"""One metric over samples: what a batch adds, and what comes out in the end.

Tallies of single batches are joined in the order of the batches, so that it does not matter where each was computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpare.evaluation import auc
from tfpare.evaluation.metrics import Labelled, Metric, positives
from tfpare.evaluation.moments import Moments
from tfpare.evaluation.statistics import (
    mcnemar_p,
    mean_interval,
    paired_mean_p,
    paired_proportions_interval,
    wilson,
)
from tfpare.evaluation.types import LEVEL, Interval, MetricResult, PairedTest
from tfpare.ir.types import Array


@dataclass(slots=True)
class Tally:
    """One metric, one or two models.

    Attributes:
        is_share: all values were right or wrong.
        moments: of the values, by model; difference: of second − first.
        lost, gained: samples that only the first or only the second model got right.
        nans: samples without a value, by model.
        scores, positive: of rankings, which need all samples at the end.
    """

    samples: int = 0
    is_share: bool = True
    moments: list[Moments] = field(default_factory=list[Moments])
    difference: Moments = field(default_factory=Moments)
    lost: int = 0
    gained: int = 0
    nans: list[int] = field(default_factory=list[int])
    scores: list[list[Array]] = field(default_factory=list[list[Array]])
    positive: list[Array] = field(default_factory=list[Array])

    @classmethod
    def of(cls, metric: Metric, batches: Sequence[Labelled]) -> Tally:
        """Of one batch, as each model answered it."""
        values = [metric.of_samples(b) for b in batches]
        made = cls(len(batches[0].names), all(v.dtype.kind == "b" for v in values))
        made.nans = [int(np.isnan(v).sum()) if v.dtype.kind == "f" else 0 for v in values]
        if metric.is_ranking:
            made.is_share = False
            made.scores, made.positive = [[v] for v in values], [positives(batches[0])]
            return made
        made.moments = [Moments.of(v) for v in values]
        if len(values) == 2:
            first, second = values
            made.difference = Moments.of(second.astype(np.float64) - first.astype(np.float64))
            if made.is_share:
                made.lost, made.gained = int((first & ~second).sum()), int((second & ~first).sum())
        return made

    def add(self, other: Tally) -> None:
        """Joins the tally of the batch that follows."""
        if self.samples == 0:
            self.moments = [Moments() for _ in other.moments]
            self.nans = [0 for _ in other.nans]
            self.scores = [[] for _ in other.scores]
        self.samples += other.samples
        self.is_share = self.is_share and other.is_share
        for mine, theirs in zip(self.moments, other.moments, strict=True):
            mine.add(theirs)
        self.difference.add(other.difference)
        self.lost, self.gained = self.lost + other.lost, self.gained + other.gained
        self.nans = [a + b for a, b in zip(self.nans, other.nans, strict=True)]
        for own, new in zip(self.scores, other.scores, strict=True):
            own += new
        self.positive += other.positive


def results(metric: Metric, tally: Tally, models: Sequence[Path]) -> list[MetricResult]:
    """The metric of each model."""
    found: list[MetricResult] = []
    for k, model in enumerate(models):
        value, interval, note = _ranking(tally, k) if metric.is_ranking else _mean(tally, k)
        if tally.nans[k]:
            note = f"the value of {tally.nans[k]} of {tally.samples} samples is NaN"
        found.append(
            MetricResult(
                metric.name, model, value, interval, tally.samples, metric.higher_is_better, note or metric.note
            )
        )
    return found


def _mean(tally: Tally, k: int) -> tuple[float, Interval | None, str]:
    moments = tally.moments[k]
    if tally.is_share:
        hits = round(moments.mean * moments.samples)  # exact: the mean is off by some 1e-16 of a sample
        return hits / moments.samples, wilson(hits, moments.samples), ""
    return moments.mean, mean_interval(moments.mean, moments.squares, moments.samples), ""


def _ranking(tally: Tally, k: int) -> tuple[float, Interval | None, str]:
    placed, problem = _placements(tally, k)
    return (math.nan, None, problem) if placed is None else (placed.auc, auc.auc_interval(placed), "")


def _placements(tally: Tally, k: int) -> tuple[auc.Placements | None, str]:
    if tally.nans[k]:
        return None, ""
    positive = np.concatenate(tally.positive)
    if positive.all() or not positive.any():
        return None, f"all samples are {'positive' if positive.all() else 'negative'}: there is no pair to order"
    return auc.placements(np.concatenate(tally.scores[k]), positive), ""


def paired_test(metric: Metric, tally: Tally, unit: str = "samples") -> PairedTest:
    """Whether the second model is worse, on the same samples."""
    n = tally.samples
    if metric.is_ranking:
        return _paired_ranking(metric, tally, unit)
    (before, _, _), (after, _, _) = _mean(tally, 0), _mean(tally, 1)
    if tally.is_share:
        p, method = mcnemar_p(tally.lost, tally.gained)
        interval = paired_proportions_interval(tally.lost, tally.gained, n)
        difference = (tally.gained - tally.lost) / n
        return _test(metric, before, after, difference, interval, p, method, n, unit, (tally.lost, tally.gained))
    moments = tally.difference
    interval = mean_interval(moments.mean, moments.squares, n)
    p = paired_mean_p(moments.mean, moments.squares, n)
    return _test(metric, before, after, moments.mean, interval, p, "paired means, normal", n, unit)


def _paired_ranking(metric: Metric, tally: Tally, unit: str) -> PairedTest:
    first, second = (_placements(tally, k)[0] for k in range(2))
    if first is None or second is None:
        known = [math.nan if p is None else p.auc for p in (first, second)]
        return _test(metric, known[0], known[1], math.nan, None, 1.0, "DeLong", tally.samples, unit)
    difference, interval, p = auc.paired_auc(first, second)
    return _test(metric, first.auc, second.auc, difference, interval, p, "DeLong", tally.samples, unit)


def _test(
    metric: Metric,
    before: float,
    after: float,
    difference: float,
    interval: Interval | None,
    p: float,
    method: str,
    samples: int,
    unit: str,
    discordant: tuple[int, int] | None = None,
) -> PairedTest:
    verdict = _verdict(before, after, difference, p, metric.higher_is_better)
    words = _words(metric.name, verdict, difference, interval, p, f"{samples:,} {unit}", discordant is not None)
    lost, gained = discordant or (None, None)
    return PairedTest(
        metric.name, before, after, difference, interval, p, method, samples, verdict, words, lost, gained
    )


def _verdict(before: float, after: float, difference: float, p: float, higher_is_better: bool) -> str:
    if math.isnan(before):
        return "unknown"
    if math.isnan(after):
        return "loss"
    if p >= 1 - LEVEL or difference == 0:
        return "no loss seen"
    return "gain" if (difference > 0) == higher_is_better else "loss"


def _words(
    metric: str, verdict: str, difference: float, interval: Interval | None, p: float, samples: str, in_points: bool
) -> str:
    def shown(x: float) -> str:
        return f"{100 * x:+.2f}" if in_points else f"{x:+.3g}"

    unit = " points" if in_points else ""
    if verdict == "unknown":
        return f"{metric} of the first model is NaN on {samples}: nothing can be said"
    if math.isnan(difference):
        return f"loss: {metric} of the second model is NaN on {samples}"
    start = f"no {metric} loss seen on {samples}" if verdict == "no loss seen" else f"{metric} {verdict} on {samples}"
    between = f", {interval.level:.0%} interval {shown(interval.low)} to {shown(interval.high)}" if interval else ""
    chance = "" if verdict == "no loss seen" else f", p = {p:.2g}"
    return f"{start} ({shown(difference)}{unit}{between}{chance})"
