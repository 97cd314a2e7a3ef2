"""What move_stride_to_earlier_conv declines, and where it stops."""

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_same, parse, random_feeds, run, run_pipeline
from tfpare.engine.rule import Effect

NAME = "move_stride_to_earlier_conv"
CONV = (
    "x = input(float32[?,{side},{side},3])\nk = const(float32[3,3,3,4])\nc = Conv2D(x, k, strides=[1,1,1,1], {more})\n"
)
POINT = "l = const(float32[1,1,4,5])\ny = Conv2D(r, l, strides=[1,2,2,1], padding=VALID)\n"
PLAIN = CONV.format(side=8, more="padding=SAME") + "r = Relu(c)\n" + POINT + "return y"


def rewritten(source, applied=None):
    """The graph after the rule, which answers the same."""
    graph, original = parse(source), parse(source)
    count = apply(graph, NAME)[NAME].applied
    assert count >= 1 if applied is None else count == applied
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
    return graph


def convolutions(graph):
    """Stride and padding by the name that the original had."""
    return {n.name.partition("_")[0]: (n["strides"][1], n["padding"]) for n in graph if "Conv" in n.op}


@pytest.mark.parametrize("side", [7, 8, 9])
@pytest.mark.parametrize(
    "more",
    [
        "padding=SAME",
        "padding=VALID",
        "padding=EXPLICIT, explicit_paddings=[0,0,2,0,1,3,0,0]",
        "padding=SAME, dilations=[1,2,2,1]",
    ],
)
@pytest.mark.parametrize("stride", [2, 3])
def test_sizes_and_paddings(side, more, stride):
    source = (CONV.format(side=side, more=more) + "r = Relu(c)\n" + POINT + "return y").replace(
        "2,2,1], padding=VALID", f"{stride},{stride},1], padding=VALID"
    )
    graph = rewritten(source, 1)
    assert convolutions(graph)["c"][0] == stride
    assert convolutions(graph)["y"][0] == 1


def test_same_stays_same_where_it_pads_alike():
    assert convolutions(rewritten(PLAIN.replace("8,8", "7,7")))["c"] == (2, "SAME")
    assert convolutions(rewritten(PLAIN))["c"] == (2, "EXPLICIT")


@pytest.mark.parametrize("stride", ["2,1", "1,3"])
def test_strides_of_one_direction(stride):
    graph = rewritten(PLAIN.replace("[1,2,2,1]", f"[1,{stride},1]"))
    assert next(n for n in graph if n.name.startswith("c"))["strides"] == (1, *map(int, stride.split(",")), 1)


def test_two_readers_with_one_stride():
    source = PLAIN.replace(
        "return y", "m = const(float32[1,1,4,6])\nz = Conv2D(r, m, strides=[1,2,2,1], padding=SAME)\nreturn y, z"
    )
    graph = parse(source)
    run_pipeline(graph)
    assert sum("Conv" in n.op for n in graph) == 3
    original = parse(source)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_a_chain_of_point_convolutions_is_strided_at_its_beginning():
    source = PLAIN.replace(
        "r = Relu(c)",
        "m = const(float32[1,1,4,4])\np = Relu(c)\nd = Conv2D(p, m, strides=[1,1,1,1], padding=SAME)\nr = Relu(d)",
    )
    graph = rewritten(source, 2)
    assert {name: stride for name, (stride, _) in convolutions(graph).items()} == {"c": 2, "d": 1, "y": 1}


def test_depthwise_convolutions_stop_where_they_would_need_explicit_padding():
    depthwise = (
        PLAIN.replace("[3,3,3,4]", "[3,3,3,1]")
        .replace("= Conv2D(x", "= DepthwiseConv2dNative(x")
        .replace("[1,1,4,5]", "[1,1,3,5]")
    )
    assert_declines(NAME, depthwise, "no convolution could compute less")
    assert convolutions(rewritten(depthwise.replace("8,8", "7,7")))["c"] == (2, "SAME")


@pytest.mark.parametrize(
    "change", [("[1,2,2,1]", "[1,1,3,1]"), ("padding=VALID)\nr", "padding=VALID, dilations=[1,2,2,1])\nr")]
)
def test_depthwise_convolutions_stop_where_there_is_no_kernel(change):
    depthwise = PLAIN.replace("[3,3,3,4]", "[3,3,3,1]").replace("= Conv2D(x", "= DepthwiseConv2dNative(x")
    depthwise = depthwise.replace("[1,1,4,5]", "[1,1,3,5]").replace("padding=SAME)\nr", "padding=VALID)\nr")
    assert change[0] in depthwise
    assert_declines(NAME, depthwise.replace(*change), "no convolution could compute less")
    assert convolutions(rewritten(depthwise))["c"] == (2, "VALID")


def test_what_is_broadcast_is_not_pooled():
    gate = (
        "g = input(float32[?,1,1,4])\nb = const(float32[4])\nf = BiasAdd(c, b)\nm = Mul(f, g)\n"
        "t = const(float32[1,1,4])\na = AddV2(t, m)\nr = Relu(a)"
    )
    graph = rewritten(PLAIN.replace("r = Relu(c)", gate))
    assert "AvgPool" not in {n.op for n in graph}


@pytest.mark.parametrize("op", ["AvgPool", "MaxPool"])
def test_a_pool_of_one_element_is_a_stride(op):
    source = (
        CONV.format(side=8, more="padding=SAME")
        + f"r = Relu(c)\ny = {op}(r, ksize=[1,1,1,1], strides=[1,2,2,1], padding=SAME)\nz = Relu(y)\nreturn z"
    )
    graph = rewritten(source)
    assert op not in {n.op for n in graph}


def test_both_sides_of_a_sum():
    source = PLAIN.replace(
        "r = Relu(c)",
        "m = const(float32[1,1,3,4])\nd = Conv2D(x, m, strides=[1,1,1,1], padding=SAME)\na = AddV2(c, d)\nr = Relu(a)",
    )
    graph = rewritten(source)
    assert {stride for name, (stride, _) in convolutions(graph).items() if name != "y"} == {2}
    assert "AvgPool" not in {n.op for n in graph}


def test_not_finite_pixels():
    pixels = np.random.default_rng(0).normal(0, 1, (2, 8, 8, 3)).astype(np.float32)
    pixels[0, 3, 3] = np.nan
    pixels[1, 4, 5] = np.inf
    source = PLAIN.replace("r = Relu(c)", "s = input(float32[?,8,8,4])\na = AddV2(c, s)\nr = Tanh(a)")
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    summand = np.zeros((2, 8, 8, 4), np.float32)
    summand[0, 0, 0], summand[0, 4, 4] = np.nan, -np.inf
    feeds = {"x:0": pixels, "s:0": summand}
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("return y", "z = Tanh(r)\nreturn y, z", "another node reads"),
        (
            "return y",
            "m = const(float32[1,1,4,5])\nz = Conv2D(r, m, strides=[1,4,4,1], padding=VALID)\nreturn y, z",
            "another node reads",
        ),
        (
            "return y",
            "m = const(float32[2,2,4,5])\nz = Conv2D(r, m, strides=[1,2,2,1], padding=VALID)\nreturn y, z",
            "another node reads",
        ),
        ("return y", "return y, r", "no convolution could compute less"),
        ("return y", "z = Tanh(c)\nreturn y, z", "no convolution could compute less"),
        (
            "c = Conv2D(x, k, strides=[1,1,1,1]",
            "c = Conv2D(x, k, strides=[1,2,2,1]",
            "no convolution could compute less",
        ),
        ("k = const(float32[3,3,3,4])", "k = input(float32[3,3,3,4])", "no convolution could compute less"),
        ("r = Relu(c)", "s = input(float32[8,4])\nr = AddV2(c, s)", "no convolution could compute less"),
        ("r = Relu(c)", "s = const(float32[8,1,4])\nr = AddV2(c, s)", "no convolution could compute less"),
        (
            "r = Relu(c)",
            "s = input(float32[?,8,8,4])\nt = input(float32[?,8,8,4])\na = AddV2(c, s)\nr = Mul(a, t)",
            "more pools would be needed",
        ),
    ],
)
def test_declines(old, new, reason):
    assert old in PLAIN
    assert_declines(NAME, PLAIN.replace(old, new), reason)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("l = const(float32[1,1,4,5])", "l = const(float32[2,1,4,5])"),
        ("strides=[1,2,2,1], padding=VALID", "strides=[1,1,1,1], padding=VALID"),
        (
            "strides=[1,2,2,1], padding=VALID",
            "strides=[1,2,2,1], padding=EXPLICIT, explicit_paddings=[0,0,1,1,0,0,0,0]",
        ),
        ("r = Relu(c)", "z = const(int32, [[0,0],[1,1],[1,1],[0,0]])\nr = Pad(c, z)"),
    ],
)
def test_ignores_what_reads_everything(old, new):
    assert old in PLAIN
    assert_ignores(NAME, PLAIN.replace(old, new))
