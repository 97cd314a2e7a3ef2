"""One graph for all choices of layers in 8 bits."""

import numpy as np

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import EVERY, measured
from tfpare.quant.portable import emit_portable
from tfpare.quant.scheme import make_scheme
from tfpare.tuning.switched_int8 import emit_switched
from tfpare.tuning.switches import switches

RESIDUAL = """
    x = input(float32[2,8,8,4])
    k = const(float32[3,3,4,8])
    b = const(float32[8])
    c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    d = BiasAdd(c, b)
    r = Relu(d)
    p = MaxPool(r, ksize=[1,2,2,1], strides=[1,1,1,1], padding=SAME)
    l = const(float32[1,1,8,8])
    e = Conv2D(p, l, strides=[1,1,1,1], padding=SAME)
    s = AddV2(e, p)
    t = Relu(s)
    n = const(float32[1,1,8,8])
    f = Conv2D(t, n, strides=[1,1,1,1], padding=SAME)
    g = Relu(f)
    m = const(float32[3,3,8,1])
    y = DepthwiseConv2dNative(g, m, strides=[1,1,1,1], padding=SAME)
    return y
"""


def switched():
    graph = parse(RESIDUAL)
    feeds = random_feeds(graph)
    scheme = make_scheme(graph, measured(graph, feeds), EVERY)
    layers = emit_switched(graph, scheme)
    graph.check()
    return graph, feeds, layers


def answer(graph, feeds, layers, on):
    return next(iter(run(graph, {**feeds, **switches(layers, on)}).values()))


def test_nothing_on_is_float_and_everything_on_is_the_portable_graph():
    graph, feeds, layers = switched()
    assert [one.name for one in layers] == ["c", "e", "f", "y"]
    plain = next(iter(run(parse(RESIDUAL), feeds).values()))
    np.testing.assert_array_equal(answer(graph, feeds, layers, set()), plain)
    other = parse(RESIDUAL)
    emit_portable(other, make_scheme(other, measured(other, feeds), EVERY))
    portable = next(iter(run(other, feeds).values()))
    np.testing.assert_allclose(
        answer(graph, feeds, layers, {0, 1, 2, 3}), portable, rtol=0, atol=1e-5 * np.abs(plain).max()
    )


def test_each_layer_adds_noise_of_its_own():
    graph, feeds, layers = switched()
    plain = answer(graph, feeds, layers, set())
    alone = [np.square(answer(graph, feeds, layers, {k}) - plain).sum() for k in range(4)]
    together = np.square(answer(graph, feeds, layers, {0, 1, 2, 3}) - plain).sum()
    assert min(alone) > 0
    assert together > max(alone) / 2
