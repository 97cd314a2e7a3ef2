"""What metrics say of single samples."""

from __future__ import annotations

import numpy as np
import pytest

from tfpare.data.types import DataError
from tfpare.errors import UsageError
from tfpare.evaluation.metrics import Labelled, metric_of, positives


def batch(output, labels, positive_class=None) -> Labelled:
    labels = np.asarray(labels)
    return Labelled({"y": np.asarray(output)}, "y", labels, tuple(f"s{k}" for k in range(len(labels))), positive_class)


def of(name, output, labels, **options):
    return metric_of(name).of_samples(batch(output, labels, **options)).tolist()


def test_top1_is_argmax():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 4, (200, 6)), rng.integers(0, 6, 200)
    assert of("top1", scores, labels) == (np.argmax(scores, axis=1) == labels).tolist()
    assert of("top1", scores.reshape(200, 1, 1, 6).astype(np.float32), labels) == of("top1", scores, labels)
    assert of("top1", np.argmax(scores, axis=1), labels) == of("top1", scores, labels)


def test_top5_is_that_of_tensorflow_without_ties():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    scores, labels = rng.random((200, 12)).astype(np.float32), rng.integers(0, 12, 200)
    assert of("top5", scores, labels) == tf.math.in_top_k(labels, scores, 5).numpy().tolist()


def test_labels_may_be_one_hot():
    assert of("top1", [[0.1, 0.9], [0.8, 0.2]], [[0, 1], [0, 1]]) == [True, False]


def test_nan_is_wrong_and_infinity_is_a_score():
    scores = [[np.nan, 1, 0], [-np.inf, 1, 0], [np.inf, np.nan, 0]]
    assert of("top1", scores, [1, 1, 0]) == [False, True, False]
    assert of("top5", scores, [1, 1, 0]) == [False, True, False]


@pytest.mark.parametrize(
    ("output", "labels", "right"),
    [
        ([[0.2, 0.8], [0.9, 0.1]], [1, 1], [True, False]),
        ([[0.2], [0.9]], [0, 0], [True, False]),
        ([0.5, 0.51], [0, 1], [True, True]),
        (np.array([3, 4]), [3, 3], [True, False]),
        (np.array([[b"spam"], [b"ham"]], object), np.array([b"spam", b"spam"], object), [True, False]),
        (np.array([b"1", b"0"], object), [1, 1], [True, False]),
        (np.array([True, False]), [1, 1], [True, False]),
    ],
)
def test_accuracy(output, labels, right):
    assert of("accuracy", output, labels) == right


def test_auc_scores_and_positives():
    assert of("auc", [[0.1], [0.7]], [0, 1]) == [0.1, 0.7]
    assert of("auc", [[0.9, 0.1], [0.3, 0.7]], [0, 1]) == [0.1, 0.7]
    scores = [[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]]
    assert of("auc", scores, [0, 2], positive_class=2) == [0.7, 0.1]
    assert positives(batch(scores, [0, 2], 2)).tolist() == [False, True]
    with pytest.raises(UsageError, match="--positive-class"):
        of("auc", scores, [0, 1])
    with pytest.raises(UsageError, match="none of the 3 classes"):
        of("auc", scores, [0, 1], positive_class=3)


def test_mse():
    assert of("mse", [[1.0, 2.0], [0.0, 0.0]], [[1.0, 0.0], [3.0, 4.0]]) == [2.0, 12.5]
    assert of("mse", [[1.0], [2.0]], [3, 2]) == [4.0, 0.0]
    with pytest.raises(DataError, match="needs as many"):
        of("mse", [[1.0, 2.0]], [1.0])


@pytest.mark.parametrize(
    ("name", "output", "labels", "says"),
    [
        ("top1", [[0.1, 0.9]], [2], r"s0: the label 2 is none of the classes 0 to 1 .*--label-offset"),
        ("top1", [[0.1, 0.9]], [-1], "the label -1"),
        ("top1", [[0.1, 0.9]], np.array([b"cat"], object), "is a name; say with --classes"),
        ("top1", [[0.1, 0.9]], [0.5], "no class numbers"),
        ("top5", [0.1], [0], "needs class scores"),
        ("accuracy", [[[0.1, 0.2], [0.3, 0.4]]], [0], "needs classes or scores"),
        ("mse", [[1.0]], np.array([b"cat"], object), "needs numbers"),
    ],
)
def test_refuses(name, output, labels, says):
    with pytest.raises(UsageError, match=says):
        of(name, output, labels)


def test_own_metrics(tmp_path, monkeypatch):
    (tmp_path / "own_metrics.py").write_text(
        "import numpy as np\n"
        "def right(outputs, labels):\n    return outputs['y'].argmax(1) == labels\n"
        "def error(outputs, labels):\n    return np.abs(outputs['y'][:, 0] - labels)\n"
        "error.higher_is_better = False\n"
        "def one(outputs, labels):\n    return 0.5\n"
        "def broken(outputs, labels):\n    return outputs['z']\n"
    )
    monkeypatch.chdir(tmp_path)
    output, labels = [[0.1, 0.9], [0.8, 0.2]], [1, 1]
    assert of("own_metrics:right", output, labels) == [True, False]
    assert of("own_metrics:error", output, labels) == pytest.approx([0.9, 0.2])
    assert not metric_of("own_metrics:error").higher_is_better
    with pytest.raises(DataError, match="one number a sample is needed"):
        of("own_metrics:one", output, labels)
    with pytest.raises(DataError, match="own_metrics:broken raised KeyError for s0 to s1"):
        of("own_metrics:broken", output, labels)
    with pytest.raises(UsageError, match=r"no metric 'top2'. Did you mean 'top"):
        metric_of("top2")
