"""The traps on which other folders are silently wrong, and the forms that they do not know."""

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

CONV = """
x = input(float32[2,6,6,3])
k = const(float32[3,3,3,4])
conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
"""
STATS = """
gamma = const(float32[4])
beta = const(float32[4])
mean = const(float32[4])
variance = const(float32[4])
"""
BN = "y = {op}(conv, gamma, beta, mean, variance, is_training=false)\nreturn y"
NAME = "fold_batch_norm_into_linear"


def answers_the_same(source, *rules, feeds=None):
    graph, original = parse(source), parse(source)
    stats = apply(graph, *rules)
    feeds = feeds or random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
    return graph, stats


@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
@pytest.mark.parametrize(
    "linear",
    [
        "x = input(float32[2,6,6,3])\nk = const(float32[3,3,3,4])\n"
        "conv = Conv2D(x, k, strides=[1,2,2,1], padding=VALID)",
        "x = input(float32[2,6,6,2])\nk = const(float32[3,3,2,2])\n"
        "conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)",
        "s = const(int32, [2,6,6,4])\nk = const(float32[3,3,4,5])\nx = input(float32[2,3,3,5])\n"
        "conv = Conv2DBackpropInput(s, k, x, strides=[1,2,2,1], padding=SAME)",
    ],
    ids=["conv", "depthwise_multiplier_2", "transposed"],
)
def test_every_form(op, linear):
    graph, _ = answers_the_same(linear + STATS + BN.format(op=op), NAME)
    assert not any(n.op.startswith("FusedBatchNorm") for n in graph)


def test_conv_also_read_elsewhere():
    graph, stats = answers_the_same(
        CONV + STATS + BN.format(op="FusedBatchNormV3").replace("return y", "z = Relu(conv)\nreturn y, z"), NAME
    )
    assert stats[NAME].declined == {"another node reads an inner node": 1}
    assert any(n.op == "FusedBatchNormV3" for n in graph)


def test_kernel_shared_by_two_convolutions():
    source = (
        CONV
        + STATS
        + """
    other = Conv2D(x, k, strides=[1,1,1,1], padding=VALID)
    y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false)
    return y, other
    """
    )
    answers_the_same(source, NAME)


def test_one_constant_read_by_two_batch_norms():
    source = (
        CONV
        + STATS
        + """
    k2 = const(float32[1,1,3,4])
    conv2 = Conv2D(x, k2, strides=[1,1,1,1], padding=SAME)
    y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false)
    z = FusedBatchNormV3(conv2, gamma, beta, mean, variance, is_training=false)
    return y, z
    """
    )
    _, stats = answers_the_same(source, NAME)
    assert stats[NAME].applied == 2


def test_bias_between_with_a_variance_that_is_no_constant():
    source = (
        CONV
        + STATS.replace("variance = const", "variance = input")
        + """
    b = const(float32[4])
    biased = BiasAdd(conv, b)
    y = FusedBatchNormV3(biased, gamma, beta, mean, variance, is_training=false)
    return y
    """
    )
    feeds = random_feeds(parse(source))
    feeds["variance:0"] = np.abs(feeds["variance:0"]) + 0.5
    graph, _ = answers_the_same(source, feeds=feeds)
    assert any(n.op == "FusedBatchNormV3" for n in graph)


def test_training_mode_declines():
    source = CONV + "gamma = const(float32[4])\nbeta = const(float32[4])\nmean = const(float32, [])\n" + (
        "variance = const(float32, [])\n"
        "y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=true)\nreturn y"
    )  # fmt: skip
    assert_declines(NAME, source, "its own statistics")


@pytest.mark.parametrize("attrs", [", transpose_b=true", ""])
def test_square_matmul_with_unfolded_batch_norm(attrs):
    source = f"""
    x = input(float32[3,4])
    k = const(float32[4,4])
    m = MatMul(x, k{attrs})
    s = const(float32[4])
    scaled = Mul(m, s)
    t = const(float32[4])
    y = AddV2(scaled, t)
    return y
    """
    graph, _ = answers_the_same(source)
    assert not any(n.op in ("Mul", "AddV2") for n in graph)


def test_layouts_that_differ_decline():
    source = CONV.replace("[2,6,6,3]", "[2,6,6,4]").replace("[3,3,3,4]", "[3,3,4,6]") + STATS.replace("[4]", "[6]")
    source += "y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false, data_format=NCHW)\nreturn y"
    assert_declines(NAME, source, "layouts differ")


@pytest.mark.parametrize("bad", ["nan", "inf"])
@pytest.mark.parametrize("which", ["gamma", "beta", "mean", "variance"])
def test_statistics_that_are_not_finite_decline(which, bad):
    stats = STATS.replace(f"{which} = const(float32[4])", f"{which} = const(float32, [1, {bad}, 1, 1])")
    assert_declines(NAME, CONV + stats + BN.format(op="FusedBatchNormV3"), "NaN or infinity")


def test_negative_variance_declines():
    stats = STATS.replace("variance = const(float32[4])", "variance = const(float32, [1, -2, 1, 1])")
    assert_declines(NAME, CONV + stats + BN.format(op="FusedBatchNormV3"), "not positive")


def test_batch_statistics_that_are_read_decline():
    source = CONV + STATS + BN.format(op="FusedBatchNormV3").replace("return y", "m = Relu(y:1)\nreturn y, m")
    assert_declines(NAME, source, "another output of the node is read")


def test_gamma_is_left_out_without_scale_after_normalization():
    source = CONV + STATS + (
        "y = BatchNormWithGlobalNormalization(conv, mean, variance, beta, gamma, variance_epsilon=0.01, "
        "scale_after_normalization=false)\nreturn y"
    )  # fmt: skip
    answers_the_same(source, "fold_global_batch_norm_into_linear")


FORMS = {
    "sub_div_mul_add": """
        m = const(float32[4])
        a = Sub(conv, m)
        d = const(float32[4])
        b = RealDiv(a, d)
        g = const(float32[4])
        c = Mul(b, g)
        e = const(float32[4])
        y = AddV2(c, e)
        return y
    """,
    "keras3": """
        s = const(float32[1,1,1,4])
        a = Mul(conv, s)
        t = const(float32[1,1,1,4])
        y = AddV2(a, t)
        return y
    """,
    "after_a_bias": """
        b = const(float32[4])
        biased = BiasAdd(conv, b)
        s = const(float32[4])
        a = Mul(biased, s)
        t = const(float32[4])
        y = Sub(a, t)
        return y
    """,
    "before_and_after_a_bias": """
        s = const(float32)
        a = Mul(s, conv)
        b = const(float32[4])
        biased = BiasAdd(a, b)
        t = const(float32[4])
        y = Mul(biased, t)
        return y
    """,
}


@pytest.mark.parametrize("form", FORMS)
def test_arithmetic_forms_leave_one_conv_and_one_bias(form):
    graph, _ = answers_the_same(CONV + FORMS[form])
    assert sorted(n.op for n in graph) == ["BiasAdd", "Const", "Const", "Conv2D", "Placeholder"]


@pytest.mark.parametrize("bias", [False, True])
def test_channels_first(bias):
    """TensorFlow's own NCHW convolution does not run on every CPU: the constants are compared with the NHWC graph's."""
    add = "biased = BiasAdd(conv, mean{nchw})\n" if bias else ""
    bn = "y = FusedBatchNormV3({x}, gamma, beta, mean, variance, is_training=false{nchw})\nreturn y"
    source = CONV + STATS + add + bn.replace("{x}", "biased" if bias else "conv")
    first = source.replace("{nchw}", ", data_format=NCHW").replace("padding=SAME", "padding=SAME, data_format=NCHW")
    first = first.replace("[2,6,6,3]", "[2,3,6,6]")
    graphs = [parse(first), parse(source.replace("{nchw}", ""))]
    for graph in graphs:
        apply(graph, "fold_batch_norm_into_linear", "fold_batch_norm_into_biased_linear")
        assert sorted(n.op for n in graph if n.op != "Const") == ["BiasAdd", "Conv2D", "Placeholder"]
    constants = [sorted((n.out().constant for n in g if n.op == "Const"), key=np.size) for g in graphs]
    for a, b in zip(*constants, strict=True):
        np.testing.assert_array_equal(a, b)
