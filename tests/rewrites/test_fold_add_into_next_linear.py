import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "fold_add_into_next_linear"
SHIFT = "x = input(float32[2,6,6,3])\nc = const(float32[3])\na = AddV2(x, c)\nk = const(float32[3,3,3,4])\n"


def test_ignores_a_constant_minus_the_input():
    linear = "k = const(float32[5,4])\ny = MatMul(a, k)\nreturn y"
    source = f"x = input(float32[2,5])\nc = const(float32[5])\na = Sub(c, x)\n{linear}"
    assert_ignores(NAME, source)


DECLINES = [
    ("same_padding", SHIFT + "y = Conv2D(a, k, strides=[1,1,1,1], padding=SAME)\nreturn y", "pads"),
    ("second_reader", SHIFT + "y = Conv2D(a, k, strides=[1,1,1,1], padding=VALID)\nz = Relu(a)\nreturn y, z", "reads"),
    (
        "transposed",
        "x = input(float32[5,5])\nc = const(float32)\na = AddV2(x, c)\nk = const(float32[5,4])\n"
        "y = MatMul(a, k, transpose_a=true)\nreturn y",
        "read transposed",
    ),
]


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(source, reason):
    assert_declines(NAME, source, reason)


FIRES = {
    "conv": SHIFT + "y = Conv2D(a, k, strides=[1,2,2,1], padding=VALID)\nreturn y",
    "depthwise": SHIFT.replace("[3,3,3,4]", "[3,3,3,2]")
    + "y = DepthwiseConv2dNative(a, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
    "transpose_b": "x = input(float32[2,5])\nc = const(float32[5])\na = Sub(x, c)\nk = const(float32[4,5])\n"
    "y = MatMul(a, k, transpose_b=true)\nreturn y",
    "scalar": "x = input(float32[2,5])\nc = const(float32)\na = AddV2(x, c)\nk = const(float32[5,4])\n"
    "y = MatMul(a, k)\nreturn y",
}


@pytest.mark.parametrize("form", FIRES)
def test_fires(form):
    graph, original = parse(FIRES[form]), parse(FIRES[form])
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
