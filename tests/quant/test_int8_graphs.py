"""Plans and kernels on small graphs: what is in 8 bits, how near it is, what stays and why, traps."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import EVERY, assert_near, measured, ops, quantized
from tests.traps import TRAPS
from tfpare.passes.base import PassResult
from tfpare.quant.emit import emit
from tfpare.quant.numerics import dequantize, quantize
from tfpare.quant.options import QuantOptions
from tfpare.quant.scheme import candidates, make_scheme
from tfpare.runtime import infer_shapes

IMAGE = "x = input(float32[2,9,9,8])\n"
CONV = (
    "k{0} = const(float32[{2},{2},{3},{4}])\nb{0} = const(float32[{4}])\n"
    "c{0} = Conv2D({1}, k{0}, strides=[1,1,1,1], padding=SAME)\nd{0} = BiasAdd(c{0}, b{0})\n"
)
CHAIN = IMAGE + CONV.format(1, "x", 3, 8, 16) + "r1 = Relu(d1)\n" + CONV.format(2, "r1", 3, 16, 8) + "return d2"
RESIDUAL = (
    IMAGE + CONV.format(1, "x", 3, 8, 16) + "r = Relu(d1)\n" + CONV.format(2, "r", 1, 16, 4) + "s = Relu6(d2)\n"
    + CONV.format(3, "s", 3, 4, 16) + "t = AddV2(r, d3)\nu = Relu(t)\n" + CONV.format(4, "u", 1, 16, 4) + "return d4"
)  # fmt: skip
LINEAR_RESIDUAL = (
    RESIDUAL.replace("r = Relu(d1)\n", "").replace("Conv2D(r,", "Conv2D(d1,").replace("AddV2(r,", "AddV2(d1,")
    .replace("u = Relu(t)\n", "").replace("Conv2D(u,", "Conv2D(t,")
)  # fmt: skip


def test_a_chain_stays_in_8_bits():
    graph, _ = quantized(CHAIN)
    pad = ["Bitcast", "Bitcast", "PadV2", "Reshape", "Reshape"]
    assert ops(graph) == sorted([*pad, "Dequantize", "QuantizeV2", *["_FusedQuantizedConv2D"] * 2])
    assert_near(CHAIN, 30)


@pytest.mark.parametrize("channels", [8, 6])
def test_a_pad_is_what_it_was_whatever_the_channels(channels):
    """Four channels are moved at once where they come in fours."""
    source = IMAGE.replace("2,9,9,8", f"?,9,9,{channels}") + CONV.format(1, "x", 3, channels, 16) + "return d1"
    graph, _ = quantized(source)
    assert ("Bitcast" in ops(graph)) == (channels % 4 == 0)
    assert_near(source, 30)


def test_a_kernel_computes_what_whole_numbers_give():
    source = IMAGE + CONV.format(1, "x", 1, 8, 16) + "y = Relu(d1)\nreturn y"
    original = parse(source)
    feeds = random_feeds(original)
    graph, scheme = quantized(source, feeds)
    unit = scheme.units[0]
    x, y = scheme.grids[unit.x], scheme.grids[unit.out]
    q = quantize(feeds["x:0"], x).astype(np.int64) - x.zero_point
    total = (q @ unit.kernel.values[0, 0].astype(np.int64)) * (x.scale * unit.kernel.scales.astype(np.float64))
    expected = dequantize(quantize(np.maximum(total + unit.bias, 0.0), y), y)
    got = run(graph, feeds)["y:0"]
    # float32 may break a tie the other way
    assert np.abs(got - expected).max() <= y.scale * 1.001
    assert (got != expected).mean() < 0.01


def test_a_residual_sum_is_part_of_the_kernel():
    graph, scheme = quantized(RESIDUAL)
    assert sum(u.summand is not None for u in scheme.units) == 1
    assert "AddV2" not in ops(graph)
    assert_near(RESIDUAL, 25)


def test_a_residual_sum_without_relu_too():
    graph, scheme = quantized(LINEAR_RESIDUAL)
    assert "AddV2" not in ops(graph)
    assert sum(bool(g.zero_point) for g in scheme.grids.values()) >= 3
    assert_near(LINEAR_RESIDUAL, 22)


def test_a_summand_that_others_read_later_is_added_in_float():
    late = RESIDUAL.replace("return d4", "z = Relu(r)\nreturn d4, z")
    graph, scheme = quantized(late)
    assert "AddV2" in ops(graph)
    assert scheme.result.declined["its summand is read elsewhere, so the sum is not part of it"] == 1
    assert_near(late, 25)


def test_a_signed_input_is_padded_with_its_zero_point():
    signed = CHAIN.replace("r1 = Relu(d1)", "r1 = Identity(d1)")
    graph, scheme = quantized(signed)
    assert scheme.grids[scheme.units[1].x].zero_point > 0
    assert ops(graph).count("PadV2") == 2
    assert_near(signed, 28)


@pytest.mark.parametrize(
    "between",
    [
        "p = MaxPool(r1, ksize=[1,3,3,1], strides=[1,2,2,1], padding=SAME)",
        "p = AvgPool(r1, ksize=[1,2,2,1], strides=[1,2,2,1], padding=VALID)",
        "q = const(int32, [[0,0],[1,1],[2,0],[0,0]])\np = Pad(r1, q)",
        "q = const(int32, [2,3,27,16])\np = Reshape(r1, q)",
        "p = Identity(r1)",
    ],
    ids=["MaxPool", "AvgPool", "Pad", "Reshape", "Identity"],
)
def test_ops_between_pass_8_bits_on(between):
    source = CHAIN.replace("r1 = Relu(d1)\n", f"r1 = Relu(d1)\n{between}\n").replace("Conv2D(r1,", "Conv2D(p,")
    graph, scheme = quantized(source)
    assert len(scheme.moves) == 1
    assert ops(graph).count("QuantizeV2") == 1
    assert_near(source, 27)


def test_a_pad_without_the_attribute_that_has_a_default():
    pad = "r1 = Relu(d1)\nq = const(int32, [[0,0],[1,1],[2,0],[0,0]])\np = Pad(r1, q)\n"
    graph = parse(CHAIN.replace("r1 = Relu(d1)\n", pad).replace("Conv2D(r1,", "Conv2D(p,"))
    node = next(n for n in graph if n.op == "Pad")
    node.attrs = {k: v for k, v in node.attrs.items() if k != "Tpaddings"}
    _, scheme = quantized(graph)
    assert scheme.moves == [node]


BRANCHES = (
    IMAGE + CONV.format(1, "x", 1, 8, 16) + "r1 = Relu(d1)\n" + CONV.format(2, "x", 3, 8, 16) + "r2 = Relu(d2)\n"
    "axis = const(int32, 3)\nj = ConcatV2(r1, r2, axis)\n" + CONV.format(3, "j", 1, 32, 8) + "return d3"
)  # fmt: skip


def test_what_is_joined_has_one_grid():
    graph, scheme = quantized(BRANCHES)
    assert scheme.grids[scheme.units[0].out] == scheme.grids[scheme.units[1].out]
    assert ops(graph).count("ConcatV2") == 1
    assert_near(BRANCHES, 27)


def test_too_different_to_share_a_grid():
    graph = parse(BRANCHES)
    ranges = measured(graph, random_feeds(graph))
    for value in [v for v in ranges if v.node.name == "r1"]:
        ranges[value] = (0.0, ranges[value][1] * 1e4)
    scheme = make_scheme(graph, ranges, EVERY)
    assert scheme.result.declined["the tensors that it joins need grids of their own"] == 1
    assert not scheme.moves


@pytest.mark.parametrize(
    ("source", "least"),
    [
        (
            "x = input(float32[?,32])\nk = const(float32[32,16])\nb = const(float32[16])\nc = MatMul(x, k)\n"
            "d = BiasAdd(c, b)\ne = Relu(d)\nl = const(float32[8,16])\nz = MatMul(e, l, transpose_b=true)\nreturn z",
            30,
        ),
        (
            IMAGE + "k = const(float32[3,3,8,1])\nc = DepthwiseConv2dNative(x, k, strides=[1,2,2,1], padding=SAME)\n"
            "z = Relu6(c)\nreturn z",
            30,
        ),
        (IMAGE + "k = const(float32[3,3,8,4])\nz = Conv2D(x, k, strides=[1,2,2,1], padding=SAME)\nreturn z", 30),
        (
            IMAGE + "k = const(float32[3,3,8,4])\n"
            "z = Conv2D(x, k, strides=[1,1,1,1], dilations=[1,2,2,1], padding=SAME)\nreturn z",
            30,
        ),
    ],
    ids=["MatMul", "depthwise", "strided", "dilated"],
)
@pytest.mark.parametrize("portable", [False, True])
def test_kinds_of_layers(source, least, portable):
    scheme = assert_near(source, least, portable=portable)
    assert scheme.units


def test_portable_graphs_hold_no_8_bit_kernels():
    graph, _ = quantized(RESIDUAL, portable=True)
    assert not [o for o in ops(graph) if "Quantized" in o or o == "QuantizeV2"]
    assert_near(RESIDUAL, 25, portable=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("padding=SAME", "padding=SAME, data_format=NCHW"), "NCHW"),
        (("strides=[1,1,1,1]", "strides=[1,1,1,1], dilations=[1,1,1,1]"), ""),
        (("k1 = const(float32[3,3,8,16])", "k1 = input(float32[3,3,8,16])"), "callers feed its kernel"),
        (("k1 = const(float32[3,3,8,16])", "k1 = const(float32[3,3,4,16])"), "it is grouped"),
    ],
)
def test_declines(change, reason):
    result = PassResult()
    graph = parse(CHAIN.replace(*change, 1)) if reason != "NCHW" else parse(_nchw())
    candidates(graph, EVERY, result)
    assert [r for r in result.declined if reason in r] or not reason


def _nchw():
    return (
        "x = input(float32[2,8,9,9])\nk = const(float32[3,3,8,4])\n"
        "z = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\nreturn z"
    )


def test_the_first_and_last_layers_stay_in_float():
    options = QuantOptions()
    _, scheme = quantized(RESIDUAL, options=options)
    assert {u.name for u in scheme.units} == {"c2", "c3"}
    assert scheme.result.declined == {"the first layer": 1, "the last layer": 1}


def test_layers_by_name():
    _, scheme = quantized(RESIDUAL, options=QuantOptions(ends="int8", precisions={"c[23]": "fp32"}))
    assert {u.name for u in scheme.units} == {"c1", "c4"}
    _, scheme = quantized(RESIDUAL, options=QuantOptions(precisions={"c1": "int8"}))
    assert {u.name for u in scheme.units} == {"c1", "c2", "c3"}


def test_no_range_no_8_bits():
    graph = parse(CHAIN)
    ranges = {v: r for v, r in measured(graph, random_feeds(graph)).items() if v.node.name != "r1"}
    scheme = make_scheme(graph, ranges, EVERY)
    assert {u.name for u in scheme.units} == {"c2"} or not scheme.units
    assert sum(scheme.result.declined.values()) >= 1


@pytest.mark.parametrize("trap", TRAPS)
def test_traps(trap):
    for position in range(len(parse(RESIDUAL))):
        graph, original = parse(RESIDUAL), parse(RESIDUAL)
        if not TRAPS[trap](graph, list(graph)[position]):
            continue
        assert TRAPS[trap](original, list(original)[position])
        feeds = random_feeds(original)
        expected = run(original, feeds)
        with np.errstate(invalid="ignore"):
            ranges = {v: r for v, r in measured(graph, feeds).items() if np.isfinite(r).all()}
        emit(graph, make_scheme(graph, ranges, EVERY))
        graph.check()
        got = run(graph, feeds)
        for key, value in expected.items():
            finite = np.isfinite(value)
            scale = np.abs(value[finite]).max(initial=1e-6)
            assert np.abs(got[key][finite] - value[finite]).max(initial=0.0) <= 0.15 * scale, (trap, position, key)


LOGARITHM = (
    IMAGE + CONV.format(1, "x", 3, 8, 16) + CONV.format(2, "d1", 3, 16, 16) + "s = Square(d2)\nl = Log1p(s)\n"
    + CONV.format(3, "l", 1, 16, 8) + CONV.format(4, "d3", 1, 8, 8) + "return d4"
)  # fmt: skip


def shaped(source):
    graph = parse(source)
    infer_shapes(graph)
    return graph


def test_a_layer_that_a_logarithm_reads_stays_in_float_unless_it_is_asked_for():
    result = PassResult()
    names = [u.name for u in candidates(shaped(LOGARITHM), EVERY, result)]
    assert names == ["c3", "c4"]
    assert any("a logarithm reads it" in reason for reason in result.declined)
    asked = QuantOptions(ends="int8", precisions={"c2": "int8"})
    assert [u.name for u in candidates(shaped(LOGARITHM), asked, PassResult())] == ["c2", "c3", "c4"]


def test_an_activation_ends_what_a_logarithm_shows():
    source = LOGARITHM.replace("k2 = const", "r1 = Relu(d1)\nk2 = const", 1).replace("Conv2D(d1, k2", "Conv2D(r1, k2")
    assert [u.name for u in candidates(shaped(source), EVERY, PassResult())] == ["c1", "c3", "c4"]
