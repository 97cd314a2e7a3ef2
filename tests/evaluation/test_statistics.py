"""Intervals and tests: known values, coverage on drawn samples, few false alarms, real losses found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tfpare.evaluation import auc
from tfpare.evaluation.metrics import Labelled, metric_of
from tfpare.evaluation.moments import Moments
from tfpare.evaluation.statistics import (
    mcnemar_p,
    mean_interval,
    paired_mean_p,
    paired_proportions_interval,
    two_sided_p,
    wilson,
)
from tfpare.evaluation.tally import Tally, paired_test, results

# -- intervals --------------------------------------------------------------------------------------------------------


def test_wilson_by_the_textbook():
    found = wilson(1139, 1280)  # accuracy 0.890 on 1280 images: about ±0.017
    assert (found.high - found.low) / 2 == pytest.approx(0.0171, abs=2e-4)
    assert (wilson(0, 10).low, wilson(0, 10).high) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert (wilson(10, 10).low, wilson(10, 10).high) == (pytest.approx(0.7225, abs=1e-4), 1.0)
    assert (wilson(15, 50).low, wilson(15, 50).high) == (
        pytest.approx(0.1910, abs=1e-4),
        pytest.approx(0.4375, abs=1e-4),
    )


@pytest.mark.parametrize(("share", "n"), [(0.5, 100), (0.9, 200), (0.99, 1000)])
def test_wilson_covers(share, n):
    hits = np.random.default_rng(0).binomial(n, share, 2000)
    covered = np.mean([wilson(int(h), n).low <= share <= wilson(int(h), n).high for h in hits])
    assert 0.93 <= covered <= 0.985


def test_means_cover():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        drawn = Moments.of(rng.normal(3.0, 2.0, 8))
        found = mean_interval(drawn.mean, drawn.squares, drawn.samples)
        covered += found.low <= 3.0 <= found.high
    assert 0.935 <= covered / 2000 <= 0.965


def test_too_few_or_no_values_have_no_interval():
    assert mean_interval(1.0, 0.0, 1) is None
    assert mean_interval(math.nan, math.nan, 10) is None


# -- paired tests -----------------------------------------------------------------------------------------------------


def test_mcnemar_by_the_textbook():
    assert mcnemar_p(0, 0)[0] == 1.0
    assert mcnemar_p(5, 5)[0] == 1.0
    assert mcnemar_p(1, 9)[0] == pytest.approx(2 * 11 / 1024)
    exact, method = mcnemar_p(480, 520)
    assert "exact" in method
    assert exact == pytest.approx(two_sided_p(39 / math.sqrt(1000)), abs=1e-3)
    near, method = mcnemar_p(481, 520)
    assert "normal" in method
    assert near == pytest.approx(exact, abs=0.02)


def _shares(lost: int, gained: int, n: int) -> Tally:
    """Two models: only the first one is right on `lost` samples, only the second on `gained`, else both are."""
    first, second = np.ones(n, bool), np.ones(n, bool)
    second[:lost], first[lost : lost + gained] = False, False
    answers = iter((first, second))
    metric = metric_of("top1")
    batch = Labelled({}, "", np.zeros(n), tuple(map(str, range(n))))
    return Tally.of(type(metric)("top1", lambda labelled: next(answers)), [batch, batch])


def test_equal_models_seldom_raise_alarm():
    """Two models that err on different samples with equal probability: at most 5 % false alarms."""
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(1000):
        lost = int(rng.binomial(60, 0.5))
        verdicts.append(paired_test(metric_of("top1"), _shares(lost, 60 - lost, 1000)).verdict)
    assert verdicts.count("no loss seen") >= 950


def test_a_loss_of_two_percent_of_10000_is_found_and_none_is_not():
    rng = np.random.default_rng(0)
    for _ in range(20):
        chance = int(rng.binomial(100, 0.5))
        test = paired_test(metric_of("top1"), _shares(200 + chance, 100 - chance, 10_000), "images")
        assert test.verdict == "loss"
        assert "top1 loss on 10,000 images" in test.words
    none = paired_test(metric_of("top1"), _shares(0, 0, 10_000), "images")
    assert none.verdict == "no loss seen"
    assert none.words.startswith("no top1 loss seen on 10,000 images (+0.00 points")
    assert paired_test(metric_of("top1"), _shares(3, 30, 10_000)).verdict == "gain"


def test_interval_of_paired_proportions_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        lost, gained, _ = rng.multinomial(500, [0.05, 0.03, 0.92])
        found = paired_proportions_interval(int(lost), int(gained), 500)
        covered += found.low <= -0.02 <= found.high
    assert 0.93 <= covered / 1000 <= 0.98


def test_paired_means():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(1000):
        drawn = Moments.of(rng.normal(0.0, 1.0, 200))
        alarms += paired_mean_p(drawn.mean, drawn.squares, drawn.samples) < 0.05
    assert alarms <= 75
    shifted = Moments.of(rng.normal(0.5, 1.0, 200))
    assert paired_mean_p(shifted.mean, shifted.squares, 200) < 1e-6
    assert paired_mean_p(0.0, 0.0, 10) == 1.0
    assert paired_mean_p(0.1, 0.0, 10) == 0.0


# -- area under the curve ---------------------------------------------------------------------------------------------


def _pairs(scores: np.ndarray, positive: np.ndarray) -> float:
    apart = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.mean((apart > 0) + 0.5 * (apart == 0)))


def test_auc_counts_pairs_and_half_of_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, positive = rng.integers(0, 10, 60).astype(float), rng.random(60) < 0.4
        assert auc.placements(scores, positive).auc == pytest.approx(_pairs(scores, positive), abs=1e-12)


def test_auc_interval_covers():
    rng = np.random.default_rng(0)
    true = 0.5 * (1 + math.erf(1.0 / 2))  # normal scores, one standard deviation apart: Φ(1/√2)
    covered = 0
    for _ in range(1000):
        positive = np.arange(150) < 60
        found = auc.auc_interval(auc.placements(rng.normal(0, 1, 150) + positive, positive))
        covered += found.low <= true <= found.high
    assert 0.93 <= covered / 1000 <= 0.975


def test_perfect_separation_has_a_width():
    found = auc.auc_interval(auc.placements(np.arange(20.0), np.arange(20) >= 15))
    assert found.high == 1.0
    assert 0.5 < found.low < 0.6  # five positives do not prove much
    found = auc.auc_interval(auc.placements(-np.arange(20.0), np.arange(20) >= 15))
    assert found.low == 0.0


def test_paired_auc_knows_noise_from_loss():
    rng = np.random.default_rng(0)
    alarms = losses = 0
    for _ in range(300):
        positive = np.arange(200) < 80
        truth = rng.normal(0, 1, 200) + positive
        one, other, worse = (truth + rng.normal(0, s, 200) for s in (0.3, 0.3, 3.0))
        alarms += auc.paired_auc(auc.placements(one, positive), auc.placements(other, positive))[2] < 0.05
        losses += auc.paired_auc(auc.placements(one, positive), auc.placements(worse, positive))[2] < 0.05
    assert alarms <= 25
    assert losses >= 200
    same = auc.placements(truth, positive)
    assert auc.paired_auc(same, same)[0::2] == (0.0, 1.0)


# -- joining ----------------------------------------------------------------------------------------------------------


def test_moments_join_exactly_enough():
    values = np.random.default_rng(0).normal(1e6, 1.0, 1000)
    whole, joined = Moments.of(values), Moments()
    for part in np.split(values, 10):
        joined.add(Moments.of(part))
    joined.add(Moments())
    assert joined.samples == 1000
    assert joined.mean == pytest.approx(whole.mean, rel=1e-14)
    assert joined.squares == pytest.approx(whole.squares, rel=1e-9)


def test_nan_is_said():
    metric = metric_of("mse")
    n = 3
    good = Labelled({"y": np.ones((n, 1))}, "y", np.zeros(n), ("a", "b", "c"))
    bad = Labelled({"y": np.array([[1.0], [np.nan], [1.0]])}, "y", np.zeros(n), ("a", "b", "c"))
    tally = Tally.of(metric, [good, bad])
    first, second = results(metric, tally, [Path("a"), Path("b")])
    assert (first.value, first.note) == (1.0, "")
    assert math.isnan(second.value)
    assert second.note == "the value of 1 of 3 samples is NaN"
    assert second.interval is None
    assert paired_test(metric, tally).verdict == "loss"
    assert paired_test(metric, Tally.of(metric, [bad, good])).verdict == "unknown"
