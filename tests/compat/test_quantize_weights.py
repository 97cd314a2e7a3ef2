"""quantize_weights: 8-bit constants behind a Dequantize."""

import numpy as np
import pytest

from tests.compat.helpers import (
    assert_answers,
    build,
    called,
    feeds_for,
    inputs_of,
    names,
    node,
    notes,
    ops,
    run,
    transform,
    worst_error,
)
from tfpare.compat.eightbit.numerics import axis_of_outliers, to_eight_bits, to_signed_slices


def net(kernel):
    """`output` = conv(x, weights) + bias."""

    def make(v1):
        x = v1.placeholder("float32", [None, 6, 5, kernel.shape[2]], name="x")
        y = v1.nn.conv2d(x, v1.constant(kernel, "float32", name="weights"), 1, "SAME", name="conv")
        v1.nn.bias_add(y, v1.constant(np.ones(kernel.shape[3], np.float32), name="bias"), name="output")

    return build(make)


def kernel(seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, (3, 3, 2, 4)).astype(np.float32)


def limits(graph_def):
    return tuple(float(v) for v in run(graph_def, {}, "weights_quantized_min", "weights_quantized_max"))


def test_large_constant_becomes_dequantize():
    before = net(kernel())
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert inputs_of(after, "weights") == ["weights_quantized_const", "weights_quantized_min", "weights_quantized_max"]
    assert node(after, "weights").op == "Dequantize"
    assert node(after, "weights").attr["mode"].s == b"MIN_FIRST"
    assert node(after, "bias").op == "Const"
    assert len(after.node) == len(before.node) + 3
    assert worst_error(before, after, feeds_for(before), "output") < 0.1


def test_values_are_within_half_a_step_and_zero_is_exact():
    values = kernel()
    values.flat[::5] = 0
    after = transform(net(values), ["x"], ["output"], "quantize_weights(minimum_size=16)")
    low, high = limits(after)
    read = run(after, {}, "weights")[0]
    assert np.abs(read - values).max() <= (high - low) / 255 * 0.5001
    np.testing.assert_array_equal(read[values == 0], 0)


def test_halves_are_rounded_away_from_zero():
    values = np.array([-2.5, -1.5, 0, 1.5, 2.5, 252.5], np.float32)
    np.testing.assert_array_equal(to_eight_bits(values, -2.5, 252.5), [0, 1, 3, 5, 6, 255])


def test_outlier_spoils_its_own_channel_alone():
    values = kernel()
    values[1, 1, 0, 2] = 1000
    before = net(values)
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert ops(after)["Dequantize"] == 1
    assert len(after.node) == len(before.node) + 3
    assert run(after, {}, "weights_quantized_max")[0].shape == (4,)
    others = [0, 1, 3]
    assert np.abs(run(after, {}, "weights")[0] - values)[..., others].max() < 0.01
    assert worst_error(before, after, feeds_for(before), "output") < 20


def test_outlier_of_few_elements_and_vectors_keep_one_range():
    values = np.concatenate([[1000], np.random.default_rng(0).normal(size=63)]).astype(np.float32)
    assert axis_of_outliers(values) is None
    assert axis_of_outliers(values.reshape(32, 2)) is None
    assert axis_of_outliers(np.zeros((32, 8), np.float32)) is None
    assert axis_of_outliers(np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)) is None


def test_outlier_of_an_embedding_spoils_its_own_row_alone():
    table = np.random.default_rng(0).normal(size=(8, 32)).astype(np.float32)
    table[3, 4] = -500
    table[5] = 0
    assert axis_of_outliers(table) == 0
    numbers, peaks = to_signed_slices(table, 0)
    read = numbers * peaks[:, None] / 127
    assert np.abs(np.delete(read - table, 3, axis=0)).max() < 0.02
    np.testing.assert_array_equal(read[5], 0)


def test_default_size_is_1024():
    before = net(kernel())
    assert ops(transform(before, ["x"], ["output"], "quantize_weights")) == ops(before)
    large = np.random.default_rng(0).normal(size=(4, 4, 8, 8)).astype(np.float32)
    assert ops(transform(net(large), ["x"], ["output"], "quantize_weights"))["Dequantize"] == 1


@pytest.mark.parametrize(("low", "high", "wanted"), [(-5, -1, (-5, 0)), (0.1, 4, (0, 4)), (-2, 3, (-2, 3))])
def test_ranges_contain_zero(low, high, wanted):
    values = np.linspace(low, high, 72).reshape(3, 3, 2, 4)
    after = transform(net(values), ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert limits(after) == pytest.approx(wanted)


def test_zeros_stay_zeros():
    before = net(np.zeros((3, 3, 2, 4), np.float32))
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert limits(after) == (0, 1)
    assert_answers(before, after, feeds_for(before), "output")


@pytest.mark.parametrize("value", [1.0, -2.0, 1e-7, 3e-30])
def test_equal_values_are_kept(value):
    before = net(np.full((3, 3, 2, 4), value, np.float32))
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert node(after, "weights").op == "Dequantize"
    np.testing.assert_allclose(run(after, {}, "weights")[0], np.float32(value), rtol=1e-6)


@pytest.mark.parametrize("strange", [np.nan, np.inf, 3e38, 1e-40])
def test_what_8_bits_cannot_hold_stays_float(strange):
    values = np.zeros((3, 3, 2, 4), np.float32) if strange == 1e-40 else kernel()
    values.flat[0], values.flat[1] = strange, -strange
    before = net(values)
    assert ops(transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")) == ops(before)
    assert "weights stays float" in notes(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")


def test_requested_constant_keeps_its_name():
    before = net(kernel())
    after = transform(before, ["x"], ["output", "weights:0"], "quantize_weights(minimum_size=16)")
    assert worst_error(before, after, {}, "weights") < 0.01


def test_taken_names_are_not_used_twice():
    before = net(kernel())
    node(before, "bias").name = "weights_quantized_min"
    node(before, "output").input[1] = "weights_quantized_min"
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert len(set(names(after))) == len(after.node)
    assert inputs_of(after, "output")[1] == "weights_quantized_min"
    assert worst_error(before, after, feeds_for(before), "output") < 0.1


def test_empty_and_fed_constants_stay():
    before = net(kernel())
    assert ops(transform(before, ["x", "weights"], ["output"], "quantize_weights(minimum_size=0)"))["Dequantize"] == 1

    def make(v1):
        v1.constant(np.zeros((0, 4), np.float32), name="output")

    assert ops(transform(build(make), [], ["output"], "quantize_weights(minimum_size=0)")) == {"Const": 1}


def test_while_loop_still_runs():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [2, 6], name="x")
        weights = np.random.default_rng(0).normal(0, 0.3, (6, 6))
        body = lambda i, y: (i + 1, v1.matmul(y, v1.constant(weights, "float32", name="w")))  # noqa: E731
        v1.identity(v1.while_loop(lambda i, y: i < 2, body, [v1.constant(0), x])[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert ops(after)["Dequantize"] == 1
    assert worst_error(before, after, feeds_for(before), "output") < 0.1


def test_functions_are_quantized():
    import tensorflow as tf

    weights = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    before = build(lambda v1: called(v1, lambda x: tf.linalg.matvec(tf.constant(weights), x)))
    after = transform(before, ["x"], ["output"], "quantize_weights(minimum_size=16)")
    assert [n.op for f in after.library.function for n in f.node_def].count("Dequantize") == 1
    assert 0 < worst_error(before, after, {"x": np.ones(4, np.float32)}, "output") < 0.1
