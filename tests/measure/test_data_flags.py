"""`benchmark` and `compare` read data as `evaluate` does: pictures, TFRecords, renamed inputs, constants."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.data_sets.helpers import write_picture
from tests.data_sets.test_tfrecords import imagenet
from tfpare.cli.app import app
from tfpare.measure import benchmark as measure

SHORT = ("--repeats", 1, "--min-seconds", 0, "--min-runs", 1, "--json")


def call(*arguments: object) -> dict:
    done = CliRunner().invoke(app, [str(a) for a in (*arguments, *SHORT)])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def fed(monkeypatch):
    """What the timed processes are fed, by batch size."""
    seen: dict[int, list] = {}

    def feed(process, batch, found):
        seen[batch] = found
        return original(process, batch, found)

    original = measure.MeasuredProcess.feed
    monkeypatch.setattr(measure.MeasuredProcess, "feed", feed)
    return seen


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """x · keep_prob, of pictures in NCHW."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("model") / "scale.pb"
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3, 4, 4], name="x")
        keep_prob = tf.compat.v1.placeholder(tf.float32, [], name="keep_prob")
        tf.multiply(x, keep_prob, name="y")
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_a_folder_of_pictures(model, fed, tmp_path):
    for k in range(6):
        write_picture(tmp_path / "images" / "cat" / f"{k}.png", 10 * k + 30, size=(8, 8))
    (tmp_path / "images" / "cat" / "broken.png").write_bytes(b"no picture")
    report = call(
        *("benchmark", model, "--data", tmp_path / "images", "--input_exprs", "keep_prob=0.5", "--batch", "1,4"),
        *("--resize", "4x4", "--resize-method", "nearest", "--central-crop", "0.5", "--layout", "NCHW"),
        *("--channel-order", "BGR", "--scale", "0.1", "--mean", "1,2,3", "--skip-bad", 1),
    )
    assert [w["workload"]["batch"] for w in report["models"][0]["warm"]] == [1, 1, 4, 4]
    x = fed[4][0]["x"]
    assert x.shape == (4, 3, 4, 4)
    np.testing.assert_allclose(x[:, 1] - x[:, 0], -1, rtol=1e-5)
    assert fed[4][0]["keep_prob"] == 0.5
    for part in ("images", "nearest", "BGR", "keep_prob = 0.5"):
        assert part in report["inputs"], part


def test_tfrecords(model, fed, tmp_path):
    records = imagenet(tmp_path / "a.tfrecord", [7, 8, 9])
    report = call(
        *("benchmark", model, "--data", records, "--records", "parsed", "--rename", "x=image/encoded", "--limit", 2),
        *("--resize", "4x4", "--layout", "NCHW", "--input_exprs", "keep_prob=1.0"),
    )
    assert sorted(float(f["x"].mean()) for f in fed[1]) == [7.0, 8.0]
    assert "the first 2 of a.tfrecord" in report["inputs"]


def test_the_table_of_compare_takes_constants_beside_data(model, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((5, 3, 4, 4), np.float32))
    report = call("compare", model, model, "--data", tmp_path / "a.npz", "--input_exprs", "keep_prob=0.5")
    assert report["evaluation"]["agreement"][0]["max_abs"] == 0
    assert "keep_prob = 0.5" in report["evaluation"]["data"]
    assert report["ok"]
