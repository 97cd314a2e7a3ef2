import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

CONV1D = (
    "x = input(float32[2,1,9,3])\nk = const(float32[1,3,3,5])\nconv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
)
DENSE = (
    "x = input(float32[6,4])\nk = const(float32[4,5])\nm = MatMul(x, k)\n"
    "target = const(int32, {target})\nr = Reshape(m, target)\n"
)

DECLINES = [
    (
        "channels_squeezed",
        "move_affine_before_squeeze",
        CONV1D.replace("[1,3,3,5]", "[1,3,3,1]")
        + "s = Squeeze(conv, squeeze_dims=[-1])\nc = const(float32)\ny = Mul(s, c)\nreturn y",
        "channels are squeezed",
    ),
    (
        "unnamed",
        "move_affine_before_squeeze",
        CONV1D + "s = Squeeze(conv)\nc = const(float32[5])\ny = Mul(s, c)\nreturn y",
        "not named",
    ),
    (
        "along_time",
        "move_affine_before_squeeze",
        CONV1D + "s = Squeeze(conv, squeeze_dims=[1])\nc = const(float32[9,1])\ny = Mul(s, c)\nreturn y",
        "last dimension",
    ),
    (
        "split_last",
        "move_affine_before_reshape",
        DENSE.format(target="[5,6]") + "c = const(float32[6])\ny = AddV2(r, c)\nreturn y",
        "stay whole",
    ),
    (
        "unknown_split",
        "move_affine_before_reshape",
        DENSE.format(target="[2,3,-1,2]") + "c = const(float32[5,2])\ny = AddV2(r, c)\nreturn y",
        "stay whole",
    ),
    (
        "along_rows_of_split",
        "move_affine_before_reshape",
        DENSE.format(target="[2,3,5,1]") + "c = const(float32[3,1,1])\ny = AddV2(r, c)\nreturn y",
        "last dimension",
    ),
    (
        "enlarges_split",
        "move_affine_before_reshape",
        DENSE.format(target="[2,3,5,1]") + "c = const(float32[5,2])\ny = AddV2(r, c)\nreturn y",
        "last dimension",
    ),
    (
        "nchw",
        "move_affine_before_batch_to_space",
        "x = input(float32[4,3,6,6])\nk = const(float32[3,3,3,4])\n"
        "conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)\nb = const(int32, [2,2])\n"
        "q = const(int32, [[0,0],[0,0]])\nm = BatchToSpaceND(conv, b, q)\n"
        "c = const(float32[4])\ny = Mul(m, c)\nreturn y",
        "not NHWC",
    ),
]


@pytest.mark.parametrize(("rule", "source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(rule, source, reason):
    assert_declines(rule, source, reason)


@pytest.mark.parametrize("c", ["[3,1]", "[2]", "[1,3,2]", "[1,1,1,2]"])
@pytest.mark.parametrize("op", ["Mul", "Sub"])
def test_a_constant_along_a_part_of_the_split_channels(c, op):
    source = "x = input(float32[?,4])\nk = const(float32[4,6])\nm = MatMul(x, k)\nt = const(int32, [-1,3,3,2])\n"
    source += f"r = Reshape(m, t)\nc = const(float32{c})\ny = {op}(r, c)\nreturn y"
    graph, original = parse(source), parse(source)
    assert apply(graph, "move_affine_before_reshape")["move_affine_before_reshape"].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.EXACT)


@pytest.mark.parametrize("op", ["Mul", "RealDiv", "AddV2", "Sub"])
def test_conv1d_layers_become_one_biased_convolution(op):
    source = CONV1D + f"s = Squeeze(conv, squeeze_dims=[1])\nc = const(float32[5])\nm = {op}(s, c)\n" + (
        "t = const(float32[1,1,5])\ny = AddV2(m, t)\nreturn y"
    )  # fmt: skip
    graph, original = parse(source), parse(source)
    apply(graph)
    assert sorted(n.op for n in graph if n.op != "Const") == ["BiasAdd", "Conv2D", "Placeholder", "Squeeze"]
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
