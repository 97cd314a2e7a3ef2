"""Area under the ROC curve, its interval, and the paired test of two models on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfpare.evaluation.statistics import normal_quantile, two_sided_p
from tfpare.evaluation.types import LEVEL, Interval
from tfpare.ir.types import Array


@dataclass(frozen=True, slots=True)
class Placements:
    """For each sample, the share of the other class that it is on the right side of (a tie counts half).

    The mean over either class is the AUC; DeLong's variance is that of both means.
    """

    positives: Array
    negatives: Array

    @property
    def auc(self) -> float:
        """P(a positive scores higher than a negative) + half of P(both score the same)."""
        return float(np.mean(self.positives))


def placements(scores: Array, is_positive: Array) -> Placements:
    """Placement values, from ranks: O(n log n).

    Args:
        scores: [n] floats, no NaN.
        is_positive: [n] bool; both classes occur.

    Source: Sun and Xu, Fast implementation of DeLong's algorithm for comparing the areas under correlated receiver
        operating characteristic curves, 2014.
    """
    ours, theirs = scores[is_positive], scores[~is_positive]
    everywhere = _midranks(scores)
    above = (everywhere[is_positive] - _midranks(ours)) / len(theirs)
    below = 1 - (everywhere[~is_positive] - _midranks(theirs)) / len(ours)
    return Placements(above, below)


def _midranks(values: Array) -> Array:
    """Ranks from 1; equal values share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def auc_interval(found: Placements, level: float = LEVEL) -> Interval:
    """Interval of the AUC: DeLong's variance on the logit scale, which keeps it within 0 and 1.

    Where the classes are perfectly separated that variance is 0. Then one end is the smallest (largest) AUC at which
    as many samples as the smaller class has would all be on the right side with probability 1 − level.
    """
    auc = found.auc
    error = math.sqrt(_covariance(found, found))
    if error == 0 or auc in (0.0, 1.0):
        far = (1 - level) ** (1 / min(len(found.positives), len(found.negatives)))
        low, high = (far, 1.0) if auc > 0.5 else (0.0, 1 - far) if auc < 0.5 else (0.0, 1.0)
        return Interval(low, high, "exact bound for perfect separation", level)
    logit = math.log(auc / (1 - auc))
    half = normal_quantile(level) * error / (auc * (1 - auc))
    return Interval(_logistic(logit - half), _logistic(logit + half), "DeLong, logit scale", level)


def _logistic(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def paired_auc(before: Placements, after: Placements, level: float = LEVEL) -> tuple[float, Interval, float]:
    """Difference of two AUCs on the same samples, its interval and p value.

    Source: DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
        characteristic curves, 1988.
    """
    difference = after.auc - before.auc
    variance = _covariance(before, before) + _covariance(after, after) - 2 * _covariance(before, after)
    error = math.sqrt(max(0.0, variance))
    half = normal_quantile(level) * error
    p = 1.0 if difference == 0 else two_sided_p(difference / error) if error > 0 else 0.0
    return difference, Interval(max(-1.0, difference - half), min(1.0, difference + half), "DeLong", level), p


def _covariance(a: Placements, b: Placements) -> float:
    """Of the two AUC estimates."""
    total = 0.0
    for x, y in ((a.positives, b.positives), (a.negatives, b.negatives)):
        if len(x) > 1:
            products: Array = (x - x.mean()) * (y - y.mean())
            total += float(products.mean()) / (len(x) - 1)
    return total
