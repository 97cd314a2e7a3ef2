"""One graph for all choices of layers in bfloat16."""

import itertools

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.precision import convert
from tfpare import runtime
from tfpare.passes.base import PassOptions
from tfpare.quant.options import QuantOptions
from tfpare.tuning.switched_bf16 import emit_switched
from tfpare.tuning.switches import switches

# A bias in the convolution, a sum that outlives a Relu, a pool, a second reader, a batch norm of inference.
RESIDUAL = """
    x = input(float32[2,16,16,32])
    k = const(float32[3,3,32,64])
    b = const(float32[64])
    c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    d = BiasAdd(c, b)
    r = Relu(d)
    p = MaxPool(r, ksize=[1,2,2,1], strides=[1,1,1,1], padding=SAME)
    l = const(float32[3,3,64,64])
    e = Conv2D(p, l, strides=[1,1,1,1], padding=SAME)
    s = AddV2(e, p)
    t = Tanh(s)
    n = const(float32[3,3,64,64])
    f = Conv2D(t, n, strides=[1,1,1,1], padding=SAME)
    u = AddV2(f, s)
    return u
"""


def switched():
    graph = parse(RESIDUAL)
    runtime.infer_shapes(graph)
    layers = emit_switched(graph, lambda name: False)
    graph.check()
    return graph, layers


def answer(graph, layers, feeds, on):
    return next(iter(run(graph, {**feeds, **switches(layers, on)}).values()))


def without(names):
    """The graph as the pass converts it with these nodes left in float32."""
    graph = parse(RESIDUAL)
    options = PassOptions(precision="bf16", int8=QuantOptions(precisions=dict.fromkeys(names, "fp32")))
    convert("compute_in_bfloat16", graph, options)
    return graph


def noise(found, plain):
    return float(np.square(found - plain).sum())


def test_layers_are_contractions_with_their_bias_and_ops_that_round():
    _, layers = switched()
    assert [one.nodes for one in layers] == [("c", "d"), ("e",), ("s",), ("t",), ("f",), ("u",)]
    assert all(one.gain > 0 for one in layers)


def test_nothing_on_is_float_to_the_last_bit():
    graph, layers = switched()
    feeds = random_feeds(graph)
    feeds = {name: value for name, value in feeds.items() if name.startswith("x")}
    plain = next(iter(run(parse(RESIDUAL), feeds).values()))
    np.testing.assert_array_equal(answer(graph, layers, feeds, set()), plain)


def test_everything_on_has_the_noise_of_the_converted_graph():
    graph, layers = switched()
    feeds = random_feeds(parse(RESIDUAL))
    plain = next(iter(run(parse(RESIDUAL), feeds).values()))
    converted = parse(RESIDUAL)
    convert("compute_in_bfloat16", converted)
    real = noise(next(iter(run(converted, feeds).values())), plain)
    assert real > 0
    assert real / 2 < noise(answer(graph, layers, feeds, set(range(len(layers)))), plain) < real * 3


@pytest.mark.parametrize("count", [1, 2, 4])
def test_choices_are_ranked_as_the_pass_makes_them(count):
    """What some layers in float32 bring is what the switched graph says, at least."""
    graph, layers = switched()
    feeds = random_feeds(parse(RESIDUAL))
    plain = next(iter(run(parse(RESIDUAL), feeds).values()))
    guessed, real = [], []
    for off in itertools.islice(itertools.combinations(range(len(layers)), count), 6):
        guessed.append(noise(answer(graph, layers, feeds, set(range(len(layers))) - set(off)), plain))
        names = [name for k in off for name in layers[k].nodes]
        real.append(noise(next(iter(run(without(names), feeds).values())), plain))
    assert max(real) > 0
    for one, other in zip(guessed, real, strict=True):
        assert one > other / 3
        assert one < other * 3 or count > 1  # the pass may leave more in float32: what is between is not worth Casts
