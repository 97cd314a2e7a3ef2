"""What samples say: distributions, intervals and verdicts, on made-up samples whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfpare.measure.statistics import ratio_interval, summarize, thin, verdict
from tfpare.measure.types import MAX_SAMPLES, Interval, Verdict

RUNS = 200


def drawn(rng, ratio=1.0, processes=7, pairs=30, luck=0.02, scatter=0.1):
    """log(b / a) by process: each process has luck of its own, each pair scatters."""
    return [rng.normal(math.log(ratio) + rng.normal(0, luck), scatter, pairs).tolist() for _ in range(processes)]


def verdicts(ratio, **how):
    rng = np.random.default_rng(1)
    return [verdict(ratio_interval(drawn(rng, ratio, **how), k), 0.03) for k in range(RUNS)]


def test_summary():
    found = summarize([float(k) for k in range(1, 102)])
    assert (found.count, found.min_ms, found.median_ms, found.max_ms) == (101, 1.0, 51.0, 101.0)
    assert (found.p90_ms, found.p95_ms, found.p99_ms, found.mean_ms) == (91.0, 96.0, 100.0, 51.0)
    assert found.std_ms == pytest.approx(29.3, abs=0.01)
    assert found.cv == pytest.approx(found.std_ms / 51)


def test_summary_of_one_call():
    found = summarize([2.0])
    assert (found.count, found.median_ms, found.p99_ms, found.std_ms, found.cv) == (1, 2.0, 2.0, 0.0, 0.0)


def test_thinning_keeps_order_and_groups():
    groups = [[float(k) for k in range(3 * MAX_SAMPLES)], [1.5, 2.5]]
    kept, counts = thin(groups)
    assert len(kept) <= MAX_SAMPLES + 1
    assert sum(counts) == len(kept)
    assert list(kept[: counts[0]]) == sorted(kept[: counts[0]])
    assert kept[counts[0]] == 1.5


def test_few_samples_are_all_kept():
    assert thin([[1.0, 2.0], [3.0]]) == ((1.0, 2.0, 3.0), (2, 1))


def test_equal_models_are_hardly_ever_called_different():
    said = verdicts(1.0)
    assert said.count(Verdict.NONE) >= 0.95 * RUNS


def test_luck_of_processes_is_no_difference():
    """Many pairs that agree within each process, but processes that do not agree: pairs alone would be sure."""
    said = verdicts(1.0, luck=0.08, pairs=300, scatter=0.02)
    assert said.count(Verdict.NONE) >= 0.93 * RUNS


def test_a_tenth_is_found():
    assert verdicts(1.1).count(Verdict.SLOWER) >= 0.95 * RUNS
    assert verdicts(1 / 1.1).count(Verdict.FASTER) >= 0.95 * RUNS


def test_disturbed_turns_do_not_hide_a_tenth():
    rng = np.random.default_rng(2)
    found = 0
    for k in range(RUNS):
        groups = drawn(rng, 1.1)
        for group in groups:
            for place in range(0, len(group), 6):  # a sixth of all turns were hit by something else
                group[place] += rng.normal(0, 1.0)
        found += verdict(ratio_interval(groups, k), 0.03) is Verdict.SLOWER
    assert found >= 0.95 * RUNS


def test_intervals_hold_what_they_promise():
    rng = np.random.default_rng(3)
    for confidence in (0.95, 0.99):
        intervals = [ratio_interval(drawn(rng, 1.2, pairs=8), k, confidence) for k in range(400)]
        assert np.mean([i.low <= 1.2 <= i.high for i in intervals]) >= confidence - 0.02


def test_few_agreeing_processes_are_not_trusted_blindly():
    """Two processes with the same median by chance: the scatter of their pairs still counts."""
    interval = ratio_interval([[-0.2, 0.05, 0.3], [-0.3, 0.05, 0.2]])
    assert interval.low < 0.9
    assert interval.high > 1.15


def test_one_process_settles_nothing():
    interval = ratio_interval([[0.5] * 100])
    assert interval.value == pytest.approx(math.exp(0.5))
    assert verdict(interval, 0.03) is Verdict.NONE


def test_no_pairs():
    assert math.isnan(ratio_interval([]).value)
    assert verdict(ratio_interval([]), 0.03) is Verdict.NONE


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (1.01, 1.10, 1.2, Verdict.SLOWER),
        (0.99, 1.10, 1.2, Verdict.NONE),  # not sure
        (1.01, 1.02, 1.03, Verdict.NONE),  # sure, but too small to matter
        (0.80, 0.90, 0.99, Verdict.FASTER),
        (0.80, 0.90, 1.01, Verdict.NONE),
        (0.97, 0.98, 0.99, Verdict.NONE),
    ],
)
def test_a_verdict_needs_certainty_and_size(low, value, high, expected):
    assert verdict(Interval(value, low, high), 0.03) is expected
