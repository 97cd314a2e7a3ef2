"""A rounded kernel keeps the layer's mean result."""

from dataclasses import replace

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import EVERY, measured
from tfpare.passes.base import PassResult
from tfpare.quant.bias_correction import correct_bias
from tfpare.quant.choice import MeasuredRange
from tfpare.quant.emit import emit
from tfpare.quant.options import QuantOptions
from tfpare.quant.portable import emit_portable
from tfpare.quant.scheme import candidates, make_scheme

IMAGE = "x = input(float32[6,9,9,8])\n"
SOURCES = {
    "conv": IMAGE + "k = const(float32[3,3,8,5])\ny = Conv2D(x, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
    "with bias": IMAGE + "k = const(float32[1,1,8,5])\nb = const(float32[5])\n"
    "c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\ny = BiasAdd(c, b)\nreturn y",
    "depthwise": IMAGE + "k = const(float32[3,3,8,1])\n"
    "y = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
    "dense": "x = input(float32[400,8])\nk = const(float32[8,5])\ny = MatMul(x, k)\nreturn y",
    "dense, transposed": "x = input(float32[400,8])\nk = const(float32[5,8])\n"
    "y = MatMul(x, k, transpose_b=true)\nreturn y",
}


def positive(graph):
    """Inputs as behind Relu, with a mean of its own for each channel."""
    return {k: np.abs(a) * np.arange(1, 9, dtype=np.float32) for k, a in random_feeds(graph).items()}


def even(feeds):
    """The same at all pixels."""
    return {k: np.broadcast_to(a[:, :1, :1], a.shape).copy() if a.ndim == 4 else a for k, a in feeds.items()}


def with_means(graph, feeds):
    means = next(iter(feeds.values())).astype(np.float64).reshape(-1, 8).mean(axis=0)
    x = next(v for v in graph.fed)
    return {v: MeasuredRange(r, means if v == x else None) for v, r in measured(graph, feeds).items()}


@pytest.mark.parametrize("name", SOURCES)
def test_the_mean_of_a_rounded_kernels_result_is_that_of_the_kernel(name):
    graph = parse(SOURCES[name])
    feeds = even(positive(graph))
    ranges = with_means(graph, feeds)
    (unit,) = make_scheme(graph, ranges, EVERY).units
    error = _mean_error(graph, feeds)
    np.testing.assert_allclose(unit.correction, -error, atol=1e-4 * np.abs(error).max())


def _mean_error(graph, feeds):
    """Of the rounded kernel's results against the kernel's own, in float."""
    expected = run(graph, feeds)
    emit_portable(graph, make_scheme(graph, with_means(graph, feeds), replace(EVERY, correct_bias=False)))
    for node in [n for n in graph if n.op == "FakeQuantWithMinMaxArgs"]:  # kernels alone are to be rounded
        graph.replace_value(node.out(), node.inputs[0])
    got = run(graph, feeds)
    (key,) = expected
    channels = expected[key].shape[-1]
    return (got[key].astype(np.float64) - expected[key]).reshape(-1, channels).mean(axis=0)


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_both_ways_to_write_it_add_the_correction(name, portable):
    means = []
    for correct in (True, False):
        graph = parse(SOURCES[name])
        feeds = positive(graph)
        scheme = make_scheme(graph, with_means(graph, feeds), QuantOptions(ends="int8", correct_bias=correct))
        (emit_portable if portable else emit)(graph, scheme)
        graph.check()
        got = next(iter(run(graph, feeds).values()))
        means.append(got.astype(np.float64).reshape(-1, got.shape[-1]).mean(axis=0))
        if correct:
            expected, step = scheme.units[0].correction, scheme.grids[scheme.units[0].out].scale
    # Results are rounded to steps; over so many numbers that mostly cancels.
    moved = means[0] - means[1]
    np.testing.assert_allclose(moved, expected, atol=0.1 * step)
    assert moved @ expected == pytest.approx(expected @ expected, rel=0.3)


def test_nothing_is_corrected_without_means():
    graph = parse(SOURCES["conv"])
    ranges = measured(graph, positive(graph))
    (unit,) = candidates(graph, EVERY, PassResult())
    assert correct_bias(unit, ranges) is unit
    assert correct_bias(unit, {}) is unit
    other = {unit.x: MeasuredRange((0.0, 1.0), np.ones(3))}  # channels of another tensor
    assert correct_bias(unit, other) is unit
