"""round_weights: few distinct values, and nothing else changes."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, called, feeds_for, node, ops, run, transform, worst_error
from tfpare.compat.eightbit.numerics import round_to_buckets
from tfpare.errors import UnsupportedModel, UsageError


def scaled(values, name="weights"):
    """`output` = x · values."""

    def make(v1):
        x = v1.placeholder("float32", np.shape(values), name="x")
        v1.multiply(x, v1.constant(np.asarray(values, np.float32), name=name), name="output")

    return build(make)


def stored(graph_def, name="weights"):
    return run(graph_def, {}, name)[0]


def test_conv_answers_within_half_and_stays_float():
    kernel = np.arange(1, 41, dtype=np.float32).reshape(1, 2, 2, 10) / 40

    def make(v1):
        x = v1.placeholder("float32", [1, 1, 6, 2], name="x")
        v1.nn.conv2d(x, v1.constant(kernel, name="weights"), 1, "VALID", name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "round_weights")
    assert ops(after) == ops(before)
    assert worst_error(before, after, feeds_for(before), "output") < 0.5
    assert not np.array_equal(stored(after), kernel)


def test_small_constants_stay():
    before = scaled(np.linspace(-1, 1, 12))
    assert_answers(before, transform(before, ["x"], ["output"], "round_weights"), feeds_for(before), "output")


def test_default_is_256_steps():
    values = np.linspace(-3, 5, 1000)
    after = stored(transform(scaled(values), ["x"], ["output"], "round_weights"))
    assert len(np.unique(after)) == 256
    assert np.abs(after - values).max() <= 8 / 512 + 1e-6


def test_equal_values_stay_exact():
    for value in (1.0, -2.5, 0.0):
        after = transform(scaled(np.full(20, value)), ["x"], ["output"], "round_weights(num_steps=4)")
        np.testing.assert_array_equal(stored(after), np.full(20, value, np.float32))


def test_largest_value_is_in_the_last_bucket():
    after = stored(transform(scaled(np.arange(17)), ["x"], ["output"], "round_weights(num_steps=4)"))
    np.testing.assert_array_equal(np.unique(after), [2, 6, 10, 14])


def test_negative_values_use_all_buckets():
    after = stored(transform(scaled(np.linspace(-10, -9, 64)), ["x"], ["output"], "round_weights(num_steps=8)"))
    assert len(np.unique(after)) == 8
    assert np.abs(after - np.linspace(-10, -9, 64)).max() <= 1 / 16 + 1e-6


def test_nan_and_infinity_stay():
    values = np.array([np.nan, np.inf, -np.inf, *range(17)], np.float32)
    after = round_to_buckets(values, 4)
    np.testing.assert_array_equal(after[:3], values[:3])
    np.testing.assert_array_equal(np.unique(after[3:]), [2, 6, 10, 14])
    np.testing.assert_array_equal(round_to_buckets(np.full(16, np.nan, np.float32), 4), np.full(16, np.nan))


def test_extreme_values_do_not_overflow():
    values = np.linspace(-3.4e38, 3.4e38, 32).astype(np.float32)
    assert np.isfinite(round_to_buckets(values, 2)).all()


def test_other_types_stay():
    def make(v1):
        v1.constant(np.linspace(0, 1, 32), "float64", name="double")
        v1.constant(np.arange(32), "int32", name="whole")

    before = build(make)
    after = transform(before, [], ["double", "whole"], "round_weights(num_steps=2)")
    assert_answers(before, after, {}, "double", "whole")


def test_while_loop_still_runs():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [2, 6], name="x")
        weights = np.linspace(-0.5, 0.4, 36).reshape(6, 6)
        body = lambda i, y: (i + 1, v1.matmul(y, v1.constant(weights, "float32", name="w")))  # noqa: E731
        v1.identity(v1.while_loop(lambda i, y: i < 2, body, [v1.constant(0), x])[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "round_weights")
    assert node(after, "while/w").input == node(before, "while/w").input
    assert 0 < worst_error(before, after, feeds_for(before), "output") < 0.05


def test_functions_are_rounded():
    import tensorflow as tf

    weights = np.linspace(-1, 1, 16).reshape(4, 4).astype(np.float32)
    before = build(lambda v1: called(v1, lambda x: tf.linalg.matvec(tf.constant(weights), x)))
    after = transform(before, ["x"], ["output"], "round_weights(num_steps=4)")
    assert 0 < worst_error(before, after, {"x": np.ones(4, np.float32)}, "output") < 1


def test_fed_constants_stay():
    before = scaled(np.linspace(-1, 1, 32))
    after = transform(before, ["x", "weights:0"], ["output"], "round_weights(num_steps=2)")
    np.testing.assert_array_equal(stored(after), stored(before))


@pytest.mark.parametrize("steps", ["0", "-1", "ten"])
def test_nonsense_is_refused(steps):
    with pytest.raises(UsageError, match="num_steps"):
        transform(scaled(np.ones(16)), ["x"], ["output"], f"round_weights(num_steps={steps})")


def test_constant_without_value_is_refused():
    before = scaled(np.ones(16))
    del node(before, "weights").attr["value"]
    with pytest.raises(UnsupportedModel, match="weights"):
        transform(before, ["x"], ["output"], "round_weights")
