"""Channels made alike in size: the float answers stay, the 8-bit ones gain."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import EVERY, measured
from tfpare.quant.calibrate import tensor_name
from tfpare.quant.emit import emit
from tfpare.quant.equalize import apply_factors, choose_factors, find_joints, rename
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.scheme import make_scheme
from tfpare.runtime import infer_shapes

CONV = """
    x = input(float32[2,8,8,3])
    k = const(float32[3,3,3,8])
    b = const(float32[8])
    c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    d = BiasAdd(c, b)
    r = Relu(d)
    p = MaxPool(r, ksize=[1,2,2,1], strides=[1,2,2,1], padding=SAME)
    l = const(float32[1,1,8,16])
    y = Conv2D(p, l, strides=[1,1,1,1], padding=VALID)
    return y
"""
NORM = """
    x = input(float32[?,8])
    g = const(float32[8])
    b = const(float32[8])
    m = Mul(x, g)
    n = AddV2(m, b)
    k = const(float32[8,16])
    y = MatMul(n, k, transpose_a=false, transpose_b=false)
    return y
"""
DEPTHWISE = """
    x = input(float32[2,8,8,3])
    k = const(float32[1,1,3,8])
    c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    r = Relu(c)
    l = const(float32[3,3,8,1])
    y = DepthwiseConv2dNative(r, l, strides=[1,1,1,1], padding=SAME)
    return y
"""


def joints(source):
    graph = parse(source)
    infer_shapes(graph)
    return graph, find_joints(graph)


@pytest.mark.parametrize("source", [CONV, NORM, DEPTHWISE])
def test_the_float_answers_stay_to_the_last_bit(source):
    graph, found = joints(source)
    assert len(found) == 1
    feeds = random_feeds(graph)
    expected = run(parse(source), feeds)
    channels = found[0].value.shape.dims[-1]
    factors = np.exp2(np.arange(channels) - 3.0).astype(np.float32)
    changed = apply_factors(graph, {tensor_name(found[0].value): factors})
    rename(graph, changed)
    graph.check()
    got = run(graph, feeds)
    assert list(expected) == list(got)
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value)


@pytest.mark.parametrize("source", [CONV, NORM])
def test_an_outlier_channel_no_longer_costs_the_others_their_bits(source):
    def quality(factors):
        graph, found = joints(source)
        plant(graph, found[0])
        feeds = random_feeds(graph)
        expected = run(graph, feeds)
        if factors:
            largest = {found[0].value: magnitudes(graph, found[0].value, feeds)}
            apply_factors(graph, choose_factors(found, largest))
        infer_shapes(graph)
        emit(graph, make_scheme(graph, measured(graph, feeds, EVERY), EVERY))
        got = run(graph, feeds)
        return min(sqnr_db(v, got[k]) for k, v in expected.items())

    before, after = quality(False), quality(True)
    assert before < 25
    assert after > before + 8


def plant(graph, joint):
    """One channel a thousand times as large, and its readers' weights as much smaller."""
    channels = joint.value.shape.dims[-1]
    factors = np.ones(channels, np.float32)
    factors[1] = 1 / 1024
    apply_factors(graph, {tensor_name(joint.value): factors})


def magnitudes(graph, value, feeds):
    outputs, graph.outputs = dict(graph.outputs), {"v": value}
    array = run(graph, feeds)["v"]
    graph.outputs = outputs
    return np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)


@pytest.mark.parametrize(
    "source",
    [
        CONV.replace("Relu(d)", "Relu6(d)"),
        CONV.replace("Relu(d)", "Elu(d)"),
        CONV.replace("return y", "return y, r"),
        CONV.replace("return y", "z = Softplus(p)\n    return y, z"),
        NORM.replace("return y", "return y, n"),
        NORM.replace("return y", "return y, m"),
    ],
)
def test_what_is_not_proportional_or_read_elsewhere_stays(source):
    _, found = joints(source)
    assert found == []


def test_factors_are_powers_of_two_and_none_where_nothing_is_gained():
    _, found = joints(DEPTHWISE)
    joint = found[0]
    assert joint.is_free
    chosen = choose_factors(found, {joint.value: np.array([1, 2, 4, 8, 100, 1, 1, 0.0], np.float32)})
    factors = chosen[tensor_name(joint.value)]
    assert (np.log2(factors) == np.rint(np.log2(factors))).all()
    assert choose_factors(found, {joint.value: np.ones(8, np.float32)}) == {}
    assert choose_factors(found, {joint.value: np.zeros(8, np.float32)}) == {}
    assert choose_factors(found, {joint.value: np.full(8, np.inf, np.float32)}) == {}
    assert choose_factors(found, {}) == {}


def test_two_layers_that_share_a_kernel_keep_their_own():
    source = """
        x = input(float32[2,8,8,4])
        k = const(float32[1,1,4,4])
        a = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        r = Relu(a)
        y = Conv2D(r, k, strides=[1,1,1,1], padding=SAME)
        return y
    """
    graph, found = joints(source)
    feeds = random_feeds(graph)
    expected = run(parse(source), feeds)
    apply_factors(graph, {tensor_name(found[0].value): np.array([1, 2, 4, 0.25], np.float32)})
    graph.check()
    for key, value in run(graph, feeds).items():
        np.testing.assert_array_equal(value, expected[key])
