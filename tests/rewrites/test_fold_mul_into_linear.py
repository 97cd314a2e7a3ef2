import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

CONV = """
x = input(float32[2,6,6,3])
k = const(float32[3,3,3,4])
conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
"""
NCHW = """
x = input(float32[2,3,6,6])
k = const(float32[3,3,3,4])
conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)
"""
MATMUL = """
x = input(float32[2,5])
k = const(float32[5,5])
conv = MatMul(x, k{attrs})
"""

DECLINES = [
    ("along_width", CONV + "c = const(float32[6,1])\ny = Mul(conv, c)\nreturn y", "does not vary by output channel"),
    ("per_image", CONV + "c = const(float32[2,1,1,1])\ny = Mul(conv, c)\nreturn y", "does not vary by output channel"),
    (
        "more_dims",
        CONV + "c = const(float32[1,1,1,1,4])\ny = Mul(conv, c)\nreturn y",
        "does not vary by output channel",
    ),
    ("nchw_last", NCHW + "c = const(float32[6])\ny = Mul(conv, c)\nreturn y", "does not vary by output channel"),
    ("nan", CONV + "c = const(float32, [1, nan, 1, 1])\ny = Mul(conv, c)\nreturn y", "NaN or infinity"),
    ("inf", CONV + "c = const(float32, [1, inf, 1, 1])\ny = Mul(conv, c)\nreturn y", "NaN or infinity"),
    ("overflow", CONV + "c = const(float32, [3e38, 3e38, 3e38, 3e38])\nz = Mul(conv, c)\nreturn z", "range of float32"),
    (
        "second_reader",
        CONV + "c = const(float32[4])\ny = Mul(conv, c)\nz = Relu(conv)\nreturn y, z",
        "another node reads",
    ),
    ("fetched", CONV + "c = const(float32[4])\ny = Mul(conv, c)\nreturn y, conv", "an output of the model"),
    (
        "kernel_not_constant",
        "x = input(float32[2,6,6,3])\nk = input(float32[3,3,3,4])\n"
        "conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\nc = const(float32[4])\ny = Mul(conv, c)\nreturn y",
        "kernel is not constant",
    ),
]


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(source, reason):
    if "overflow" in reason or "range" in reason:
        source = source.replace("k = const(float32[3,3,3,4])", "k = const(float32[3,3,3,4])\n")
        graph = parse(source)
        graph.nodes["k"].attrs["value"] = np.full((3, 3, 3, 4), 1e5, np.float32)
        stats = apply(graph, "fold_mul_into_linear")["fold_mul_into_linear"]
        assert stats.applied == 0
        assert any(reason in r for r in stats.declined)
        return
    assert_declines("fold_mul_into_linear", source, reason)


def test_ignores_a_product_of_two_tensors():
    assert_ignores("fold_mul_into_linear", CONV + "c = input(float32[4])\ny = Mul(conv, c)\nreturn y")


@pytest.mark.parametrize("c", ["float32", "float32[1]", "float32[4]", "float32[1,1,1,4]", "float32[1,4]"])
@pytest.mark.parametrize("order", ["conv, c", "c, conv"])
def test_shapes_of_the_constant(c, order):
    before = CONV + f"c = const({c})\ny = Mul({order})\nreturn y"
    assert_rewrites("fold_mul_into_linear", before, CONV + "return conv")


@pytest.mark.parametrize("c", ["float32[4,1,1]", "float32[1,4,1,1]", "float32"])
def test_nchw(c):
    assert_rewrites("fold_mul_into_linear", NCHW + f"c = const({c})\ny = Mul(conv, c)\nreturn y", NCHW + "return conv")


@pytest.mark.parametrize("attrs", ["", ", transpose_a=false, transpose_b=true"])
def test_square_matrix_scales_the_right_axis(attrs):
    linear = MATMUL.format(attrs=attrs)
    assert_rewrites(
        "fold_mul_into_linear", linear + "c = const(float32[5])\ny = Mul(conv, c)\nreturn y", linear + "return conv"
    )


def test_transposed_convolution():
    linear = """
    sizes = const(int32, [2,6,6,4])
    k = const(float32[3,3,4,5])
    x = input(float32[2,3,3,5])
    conv = Conv2DBackpropInput(sizes, k, x, strides=[1,2,2,1], padding=SAME)
    """
    assert_rewrites(
        "fold_mul_into_linear", linear + "c = const(float32[4])\ny = Mul(conv, c)\nreturn y", linear + "return conv"
    )


def test_conv3d():
    linear = """
    x = input(float32[2,4,4,4,3])
    k = const(float32[2,2,2,3,5])
    conv = Conv3D(x, k, strides=[1,1,1,1,1], padding=SAME)
    """
    assert_rewrites(
        "fold_mul_into_linear", linear + "c = const(float32[5])\ny = Mul(conv, c)\nreturn y", linear + "return conv"
    )


def test_grouped_convolution_by_output_channel():
    linear = """
    x = input(float32[2,6,6,4])
    k = const(float32[3,3,2,6])
    conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    """
    assert_rewrites(
        "fold_mul_into_linear", linear + "c = const(float32[6])\ny = Mul(conv, c)\nreturn y", linear + "return conv"
    )


@pytest.mark.parametrize("type_", ["float16", "bfloat16", "float64"])
def test_other_float_types(type_):
    linear = f"x = input({type_}[2,5])\nk = const({type_}[5,4])\nconv = MatMul(x, k)\n"
    assert_rewrites(
        "fold_mul_into_linear", linear + f"c = const({type_}[4])\ny = Mul(conv, c)\nreturn y", linear + "return conv"
    )


def test_shared_kernel_keeps_its_value_for_the_other_reader():
    source = (
        CONV
        + """
    c = const(float32[4])
    y = Mul(conv, c)
    other = Conv2D(x, k, strides=[1,2,2,1], padding=VALID)
    return y, other
    """
    )
    graph, original = parse(source), parse(source)
    assert apply(graph, "fold_mul_into_linear")["fold_mul_into_linear"].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_division_by_zero_declines():
    source = CONV + "c = const(float32, [1, 0, 1, 1])\ny = RealDiv(conv, c)\nreturn y"
    assert_declines("fold_div_into_linear", source, "a zero")


def test_biased_division_declines_a_constant_numerator():
    source = CONV + "b = const(float32[4])\nz = BiasAdd(conv, b)\nc = const(float32[4])\ny = RealDiv(c, z)\nreturn y"
    assert_ignores("fold_mul_into_biased_linear", source)


NEXT = [
    ("depthwise", "x = input(float32[2,6,6,3])\nc = const(float32[3])\nm = Mul(x, c)\nk = const(float32[3,3,3,2])\n"
     "y = DepthwiseConv2dNative(m, k, strides=[1,1,1,1], padding=SAME)\nreturn y"),
    ("nchw", "x = input(float32[2,3,6,6])\nc = const(float32[3,1,1])\nm = Mul(x, c)\nk = const(float32[3,3,3,2])\n"
     "y = Conv2D(m, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\nreturn y"),
    ("transposed_matrix", "x = input(float32[2,5])\nc = const(float32[5])\nm = Mul(x, c)\nk = const(float32[5,5])\n"
     "y = MatMul(m, k, transpose_b=true)\nreturn y"),
    ("division", "x = input(float32[2,5])\nc = const(float32)\nm = RealDiv(x, c)\nk = const(float32[5,4])\n"
     "y = MatMul(m, k)\nreturn y"),
]  # fmt: skip


@pytest.mark.parametrize("source", [c[1] for c in NEXT], ids=[c[0] for c in NEXT])
def test_into_next_linear(source):
    graph, original = parse(source), parse(source)
    assert apply(graph, "fold_mul_into_next_linear")["fold_mul_into_next_linear"].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


NEXT_DECLINES = [
    ("grouped", "x = input(float32[2,6,6,4])\nc = const(float32[4])\nm = Mul(x, c)\nk = const(float32[3,3,2,6])\n"
     "y = Conv2D(m, k, strides=[1,1,1,1], padding=SAME)\nreturn y", "grouped"),
    ("transpose_a", "x = input(float32[5,5])\nc = const(float32[5])\nm = Mul(x, c)\nk = const(float32[5,5])\n"
     "y = MatMul(m, k, transpose_a=true)\nreturn y", "read transposed"),
    ("unknown_rank", "x = input(float32[*])\nc = const(float32[5])\nm = Mul(x, c)\nk = const(float32[5,5])\n"
     "y = MatMul(m, k)\nreturn y", "rank of the input"),
    ("rows", "x = input(float32[5,5])\nc = const(float32[5,1])\nm = Mul(x, c)\nk = const(float32[5,5])\n"
     "y = MatMul(m, k)\nreturn y", "does not vary by input channel"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in NEXT_DECLINES], ids=[c[0] for c in NEXT_DECLINES])
def test_next_linear_declines(source, reason):
    assert_declines("fold_mul_into_next_linear", source, reason)
