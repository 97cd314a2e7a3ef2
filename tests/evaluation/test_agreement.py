"""How far two models' answers are apart."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tfpare.errors import TfpareError
from tfpare.evaluation.agreement import Agreement


def report(a, b):
    return Agreement.of(np.asarray(a), np.asarray(b), "y").report("y")


def test_equal_answers():
    scores = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    found = report(scores, scores.copy())
    assert (found.top1, found.max_abs, found.mean_abs, found.mean_kl, found.max_kl) == (1.0, 0, 0, 0, 0)
    assert found.mean_cosine == pytest.approx(1)
    assert found.interval.high == 1.0
    assert found.kl_of == "their softmax"


def test_known_distances():
    found = report([[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.5], [3.0, 0.0]])
    assert found.top1 == 0.5
    assert found.max_abs == 3.0
    assert found.mean_abs == pytest.approx(5.5 / 4)
    assert found.max_relative == pytest.approx(1.5)
    assert found.min_cosine == pytest.approx(0.0)


def test_divergence_of_distributions_and_of_scores():
    p, q = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.9, 0.1], [1.0, 0.0]])
    found = report(p, q)
    by_hand = 0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1)
    assert found.kl_of == "the outputs"
    assert found.max_kl == pytest.approx(by_hand)
    assert found.mean_kl == pytest.approx(by_hand / 2)
    scores = report(np.log(p[:1]) + 7, np.log(q[:1]) - 3)
    assert scores.kl_of == "their softmax"
    assert scores.mean_kl == pytest.approx(by_hand)


def test_nan_and_infinity():
    a = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, 4.0], [np.inf, 1.0]])
    b = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, np.nan], [-np.inf, 1.0]])
    found = report(a, b)
    assert found.special_differences == 2
    assert found.max_abs == 0


def test_ids_strings_and_flags():
    assert report([1, 2, 3, 4], [1, 2, 3, 5]).top1 == 0.75
    assert report([1, 2, 3, 4], [1, 2, 3, 5]).max_abs == 1
    words = np.array([[b"a"], [b"b"]], object)
    assert report(words, np.array([[b"a"], [b"c"]], object)).top1 == 0.5
    assert report(words, words).max_abs is None
    assert report([True, False], [True, True]).top1 == 0.5


def test_other_dtypes_and_ranks():
    values = np.random.default_rng(0).normal(size=(4, 3))
    assert report(values.astype(ml_dtypes.bfloat16), values.astype(np.float32)).max_abs < 0.02
    assert report(values + 1j, values + 1j).max_abs == 0
    maps = np.zeros((2, 4, 4, 3), np.float32)
    assert report(maps, maps).top1 is None  # no vector of scores
    assert report(maps, maps).mean_cosine is None  # no direction
    assert report(np.zeros((2, 1, 1, 3)), np.zeros((2, 1, 1, 3))).top1 == 1.0


def test_shapes_that_differ_are_an_error():
    with pytest.raises(TfpareError, match=r"'y' is float64 \[1, 2\] in the first model, float64 \[1, 3\]"):
        report([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_parts_join_to_the_whole():
    rng = np.random.default_rng(0)
    a, b = (rng.dirichlet(np.ones(4), 60).astype(np.float32) for _ in range(2))
    whole, joined = Agreement.of(a, b, "y"), Agreement()
    for k in range(0, 60, 7):
        joined.add(Agreement.of(a[k : k + 7], b[k : k + 7], "y"))
    one, other = whole.report("y"), joined.report("y")
    assert (one.samples, one.top1, one.max_abs, one.min_cosine, one.max_kl) == (
        *(other.samples, other.top1, other.max_abs, other.min_cosine, other.max_kl),
    )
    assert one.mean_kl == pytest.approx(other.mean_kl)
