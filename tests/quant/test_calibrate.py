"""Calibration: ranges, data that is no good, going on after an interruption."""

import numpy as np
import pytest

from tests.harness import parse
from tfpare.data.types import Batch, DataError
from tfpare.io.functions import Library
from tfpare.ir.model import Model
from tfpare.quant.calibrate import Task, calibrate
from tfpare.quant.options import QuantOptions
from tfpare.runtime import infer_shapes

SOURCE = "x = input(float32[?,4])\nk = const(float32[4,8])\nc = MatMul(x, k)\nr = Relu(c)\nl = Log(r)\nreturn r, l"


class Data:
    def __init__(self, rows, fail_at=None):
        self.rows, self.fail_at, self.given = rows, fail_at, 0

    def batches(self, size):
        for start in range(0, len(self.rows), size):
            if self.fail_at is not None and start >= self.fail_at:
                raise KeyboardInterrupt
            part = self.rows[start : start + size]
            self.given += 1
            yield Batch({"x": np.stack(part)}, None, tuple(f"row {start + k}" for k in range(len(part))))


def task(tmp_path, *names):
    graph = parse(SOURCE)
    infer_shapes(graph)
    model = Model(tmp_path, "graphdef", [graph], Library([]), {}, {})
    tensors = [graph.nodes[n].out() for n in names or ("x", "r")]
    return Task(model, graph, {"x": graph.nodes["x"].out()}, tensors)


def rows(count, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32))


@pytest.mark.parametrize("calibration", ["minmax", "percentile"])
def test_ranges_are_those_of_all_samples(tmp_path, calibration):
    data, job = rows(21), task(tmp_path)
    found = calibrate(job, Data(data), QuantOptions(batch=4, calibration=calibration, percentile=100))
    assert found.samples == 21
    x = found.ranges[job.tensors[0]]
    assert x == pytest.approx((np.min(data), np.max(data)), abs=1e-2)
    assert found.ranges[job.tensors[1]][0] == 0.0
    assert not found.notes


def test_an_empty_set(tmp_path):
    with pytest.raises(DataError, match="data set is empty"):
        calibrate(task(tmp_path), Data([]), QuantOptions())


def test_one_sample_with_nan_is_named(tmp_path):
    data = rows(3)
    data[1][2] = np.nan
    with pytest.raises(DataError, match=r"row 1: the input 'x' holds NaN"):
        calibrate(task(tmp_path), Data(data), QuantOptions(batch=1))


def test_nan_inside_the_model_is_named(tmp_path):
    with pytest.raises(DataError, match="computes NaN or infinities in 'l:0'"):
        calibrate(task(tmp_path, "l"), Data(rows(3)), QuantOptions(batch=1))


def test_a_wrong_shape_is_named(tmp_path):
    with pytest.raises(DataError, match="row 0"):
        calibrate(task(tmp_path), Data([np.zeros(5, np.float32)]), QuantOptions(batch=1))


def test_one_picture_over_and_over(tmp_path):
    found = calibrate(task(tmp_path), Data([rows(1)[0]] * 6), QuantOptions(batch=2))
    assert "All 6 calibration samples are the same" in found.notes[0]


def test_some_occur_twice(tmp_path):
    found = calibrate(task(tmp_path), Data([*rows(4), rows(1)[0]]), QuantOptions(batch=2))
    assert found.notes == ["1 of 5 calibration samples occur more than once."]


def test_only_so_many_samples(tmp_path):
    assert calibrate(task(tmp_path), Data(rows(50)), QuantOptions(batch=5, samples=10)).samples == 10


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("tfpare.quant.calibrate._SAVE_EVERY_S", 0.0)
    data, options = rows(20), QuantOptions(batch=4, calibration="mse", work_dir=tmp_path / "work")
    whole = calibrate(task(tmp_path), Data(data), QuantOptions(batch=4, calibration="mse"))
    with pytest.raises(KeyboardInterrupt):
        calibrate(task(tmp_path), Data(data, fail_at=12), options)
    steps = []
    again = calibrate(task(tmp_path), Data(data), options, steps.append)
    assert steps == ["calibrate: 16 samples", "calibrate: 20 samples"]
    assert list(again.ranges.values()) == list(whole.ranges.values())


def test_another_graph_starts_over(tmp_path):
    options = QuantOptions(batch=4, work_dir=tmp_path / "work")
    calibrate(task(tmp_path), Data(rows(8)), options)
    steps = []
    calibrate(task(tmp_path, "x"), Data(rows(8)), options, steps.append)
    assert len(steps) == 2


@pytest.mark.parametrize("rows", [1, 2])
def test_a_model_with_a_batch_of_its_own_is_calibrated_with_that(tmp_path, rows):
    import tensorflow as tf

    from tfpare.api import OptimizeOptions, optimize

    rng = np.random.default_rng(0)
    kernels = [tf.constant(rng.normal(0, 0.3, (3, 3, 4, 4)), tf.float32) for _ in range(3)]

    class Fixed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((rows, 8, 8, 4), tf.float32, "x")])
        def call(self, x):
            for kernel in kernels:
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
            return {"y": x}

    model = Fixed()
    tf.saved_model.save(model, str(tmp_path / "model"), signatures={"serving_default": model.call})
    np.savez(tmp_path / "samples.npz", x=rng.normal(0, 1, (5, 8, 8, 4)).astype(np.float32))
    options = OptimizeOptions(precision="int8", int8=QuantOptions(data=str(tmp_path / "samples.npz"), ends="int8"))
    report = optimize(tmp_path / "model", tmp_path / "out", options)
    assert any(f"{5 // rows * rows} samples calibrated" in n for n in report.notes)
    assert report.verification.ok
