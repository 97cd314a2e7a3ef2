"""Models whose weights do not fit into a graph: the largest variables stay, each value is stored once."""

import numpy as np
import pytest
import tensorflow as tf

from tests.e2e.test_drop_in import assert_close, optimized, run_in_session
from tests.e2e.test_drop_in_v1 import save, variable_ops
from tfpare.api import OptimizeOptions, optimize
from tfpare.recipe import make_recipe

SIZE = 256
ONE = SIZE * SIZE * 4  # bytes of one kernel


def kernel(seed, rows=SIZE):
    return np.random.default_rng(seed).normal(0, 0.1, (rows, SIZE)).astype(np.float32)


class Layers(tf.Module):
    """Two kernels of one size, a smaller one, and a copy of each, as Keras writes them."""

    def __init__(self):
        super().__init__()
        self.weights = [tf.Variable(kernel(0)), tf.Variable(kernel(1)), tf.Variable(kernel(2, 8))]
        self.copies = [tf.Variable(w) for w in self.weights]

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], name="x")])
    def serve(self, x):
        return {"y": self._apply(x, self.weights)}

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], name="x")])
    def other(self, x):
        return {"y": self._apply(x, self.copies) + 1.0}

    def _apply(self, x, weights):
        y = tf.nn.relu(x @ weights[0])
        y = tf.cond(tf.reduce_sum(x) > -1e9, lambda: y @ weights[1], lambda: y)
        return y @ tf.transpose(weights[2])


def size(path):
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    path, module = tmp_path_factory.mktemp("layers") / "source", Layers()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve, "other": module.other})
    return path


X = np.random.default_rng(5).normal(0, 1, (3, SIZE)).astype(np.float32)


@pytest.mark.parametrize(("limit", "left"), [(10 * ONE, 0), (int(2.1 * ONE), 0), (int(1.5 * ONE), 2), (0, 6)])
@pytest.mark.parametrize("times", [1, 2])
def test_largest_variables_stay(layers, tmp_path, limit, left, times):
    target = tmp_path / "optimized"
    report = optimize(layers, target, OptimizeOptions(verify=False, freeze_limit_bytes=limit))
    if times == 2:
        target = optimized(target, tmp_path / "twice", freeze_limit_bytes=limit)
    assert len([n for n in report.notes if "stays a variable" in n and f"{limit:,} bytes" in n]) == left
    before, after = tf.saved_model.load(str(layers)), tf.saved_model.load(str(target))
    for name in ("serving_default", "other"):
        expected = before.signatures[name](tf.constant(X))
        assert_close(expected, after.signatures[name](tf.constant(X)))
        np.testing.assert_allclose(
            run_in_session(target, name, {"x": X})["y"], expected["y"].numpy(), rtol=1e-5, atol=1e-6
        )
    assert_close(before.serve(X), after.serve(X))
    assert (target / "saved_model.pb").stat().st_size <= limit + 40_000
    assert size(target) < 2 * ONE + 8 * SIZE * 4 + 60_000  # each value once, in the graph or in the checkpoint


def test_constants_count_too(layers, tmp_path):
    """What an earlier run froze takes its part of the limit."""
    first = optimized(layers, tmp_path / "first", freeze_limit_bytes=int(1.5 * ONE))
    second = optimized(first, tmp_path / "second", freeze_limit_bytes=int(1.5 * ONE))
    assert (second / "saved_model.pb").stat().st_size <= 1.5 * ONE + 40_000
    third = optimized(second, tmp_path / "third", freeze_limit_bytes=3 * ONE)
    assert size(third / "variables") < 5000


@pytest.mark.parametrize("resources", [False, True])
def test_session_style(tmp_path, resources):
    def build(session):
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, SIZE], name="x")
        weights = [v1.get_variable(f"w{k}", initializer=kernel(k, rows)) for k, rows in ((0, SIZE), (1, SIZE), (2, 8))]
        session.run(v1.global_variables_initializer())
        return {"serving_default": ({"x": x}, {"y": x @ weights[0] @ weights[1] @ tf.transpose(weights[2])})}, None

    source = save(tmp_path / "source", build, resources=resources)
    target = tmp_path / "optimized"
    report = optimize(source, target, OptimizeOptions(verify=False, freeze_limit_bytes=int(1.5 * ONE)))
    assert len(variable_ops(target)) == 1
    assert any("stays a variable" in n for n in report.notes)
    expected, got = (run_in_session(d, "serving_default", {"x": X})["y"] for d in (source, target))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    loaded = tf.saved_model.load(str(target)).signatures["serving_default"](tf.constant(X))["y"]
    np.testing.assert_allclose(loaded.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500MB", 500_000_000), ("1.5 GB", 1_500_000_000), ("1GiB", 2**30), ("7", 7), (9, 9), ("2k", 2000)],
)
def test_spelling_of_sizes(text, expected):
    assert make_recipe({"freeze_limit": text}, "test").options().freeze_limit_bytes == expected
