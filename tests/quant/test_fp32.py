"""compute_in_float32: mixed precision taken out, borders, what stays and why, traps."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run, run_pipeline
from tests.quant.precision import assert_close, convert, count, ops_in
from tests.traps import TRAPS
from tfpare.passes.base import PassOptions

PASS = "compute_in_float32"
# As Keras' policies write a layer: input and float32 variable are cast, the layer computes, the loss is float32 again.
LAYER = (
    "x = input(float32[2,8])\nk = const(float32[8,4])\nb = const(float32[4])\n"
    "h = Cast(x, DstT={t})\nw = Cast(k, DstT={t})\nc = MatMul(h, w)\nv = Cast(b, DstT={t})\na = BiasAdd(c, v)\n"
    "r = Relu(a)\ns = Softmax(r)\ny = Cast(s, DstT=float32)\nreturn y"
)
TOLERANCE = {"float16": 1e-2, "bfloat16": 6e-2}


@pytest.mark.parametrize("type_", TOLERANCE)
def test_a_layer_of_mixed_precision_is_computed_in_float32(type_):
    source = LAYER.format(t=type_)
    graph = parse(source)
    result = convert(PASS, graph)
    assert not ops_in(graph, type_)
    assert result.applied
    assert_close(parse(source), graph, TOLERANCE[type_])


@pytest.mark.parametrize("type_", TOLERANCE)
def test_the_pipeline_keeps_all_bits_of_the_weights(type_):
    graph = parse(LAYER.format(t=type_))
    kernel, bias = (graph.nodes[n].out().constant for n in "kb")
    assert kernel is not None
    feeds = random_feeds(graph)
    run_pipeline(graph, options=PassOptions(precision="fp32"))
    assert count(graph, "Cast") == 0
    logits = np.maximum(feeds["x:0"].astype(np.float64) @ kernel + bias, 0)
    wanted = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(run(graph, feeds)["y:0"], wanted / wanted.sum(-1, keepdims=True), rtol=1e-5)


def test_inputs_and_outputs_keep_their_type():
    source = "x = input(float16[2,8])\nk = const(float16[8,4])\nc = MatMul(x, k)\ny = Relu(c)\nreturn y"
    graph = parse(source)
    convert(PASS, graph)
    assert graph.outputs["y:0"].dtype.name == "float16"
    assert count(graph, "Cast") == 2
    assert_close(parse(source), graph, 1e-2)


def test_what_reads_bits_or_draws_numbers_stays():
    source = (
        "x = input(float16[4])\ny = Neg(x)\nb = Bitcast(y, type=uint16)\nz = Bitcast(y, type=float16)\nr = Abs(z)\n"
        "return b, r"
    )
    graph = parse(source)
    result = convert(PASS, graph)
    assert result.declined["Bitcast is not known to do the same in float32"] == 1
    assert_close(parse(source), graph, 0.0)


def test_a_sum_beyond_float16_is_finite():
    graph = parse(
        "x = input(float32[2])\nh = Cast(x, DstT=float16)\ns = AddV2(h, h)\ny = Cast(s, DstT=float32)\nreturn y"
    )
    convert(PASS, graph)
    assert run(graph, {"x:0": np.full(2, 4e4, np.float32)})["y:0"].tolist() == [8e4, 8e4]


def test_a_float32_model_is_left_alone():
    graph = parse("x = input(float32[2])\ny = Relu(x)\nreturn y")
    result = convert(PASS, graph)
    assert result.applied == 0
    assert result.notes == ["float32: the model holds no float16 or bfloat16, nothing was to be done"]


@pytest.mark.parametrize("type_", TOLERANCE)
@pytest.mark.parametrize("trap", TRAPS)
def test_trap_keeps_answers(trap, type_):
    source = LAYER.format(t=type_).replace("Softmax", "Tanh")  # kernels of Softmax differ where one entry is NaN
    for position in range(len(parse(source))):
        graph, original = parse(source), parse(source)
        if TRAPS[trap](graph, list(graph)[position]):
            assert TRAPS[trap](original, list(original)[position])
            convert(PASS, graph)
            assert_close(original, graph, 2 * TOLERANCE[type_])
