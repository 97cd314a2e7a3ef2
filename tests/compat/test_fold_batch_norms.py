"""fold_batch_norms and fold_subdivmul_batch_norms: the original's tests, and its wrong answers, stops and aborts."""

import numpy as np
import pytest

from tests.compat.helpers import (
    assert_answers,
    assert_close,
    build,
    feeds_for,
    names,
    node,
    ops,
    run,
    transform,
    written,
)

CONV = (
    "x = input(float32[2,5,5,3])\nk = const(float32[3,3,3,4])\nconv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
)


def folded(source, outputs=("output",), how="fold_batch_norms"):
    before = written(source)
    return before, transform(before, ["x"], outputs, how)


def assert_folds(source, left, **options):
    before, after = folded(source)
    assert sorted(n.op for n in after.node if n.op not in ("Const", "Placeholder")) == left
    assert_close(before, after, feeds_for(before), "output", **options)
    return after


@pytest.mark.parametrize("c", ["float32[4]", "float32", "float32[1]", "float32[1,1,1,4]", "float32[1,1,1,1]"])
@pytest.mark.parametrize("product", ["Mul(conv, c)", "Mul(c, conv)", "RealDiv(conv, c)"])
def test_convolutions(c, product):
    after = assert_folds(f"{CONV}c = const({c})\noutput = {product}\nreturn output", ["Conv2D"])
    assert sorted(names(after))[-1] == "x"
    assert node(after, "output").op == "Conv2D"
    assert len(after.node) == 3


def test_depthwise_convolutions():
    assert_folds(
        "x = input(float32[2,5,5,2])\nk = const(float32[3,3,2,2])\n"
        "conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)\n"
        "c = const(float32[4])\noutput = Mul(conv, c)\nreturn output",
        ["DepthwiseConv2dNative"],
    )


@pytest.mark.parametrize(
    ("kernel", "transposed"), [("6,4", "false"), ("4,4", "true"), ("4,6", "true")], ids=["plain", "square", "rectangle"]
)
def test_matrices(kernel, transposed):
    columns = 4 if transposed == "true" and kernel == "4,4" else 6
    assert_folds(
        f"x = input(float32[3,{columns}])\nk = const(float32[{kernel}])\nm = MatMul(x, k, transpose_b={transposed})\n"
        "c = const(float32[4])\noutput = Mul(m, c)\nreturn output",
        ["MatMul"],
    )


@pytest.mark.parametrize("type_", ["float16", "bfloat16", "float64"])
def test_other_dtypes(type_):
    source = f"{CONV}c = const(float32[4])\noutput = Mul(conv, c)\nreturn output".replace("float32", type_)
    _, after = folded(source)
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Conv2D": 1}


@pytest.mark.parametrize("c", ["float32[5,1]", "float32[5,5,4]", "float32[2,1,1,1]"])
def test_scales_of_another_form_stay(c):
    before, after = folded(f"{CONV}c = const({c})\noutput = Mul(conv, c)\nreturn output")
    assert sorted(names(after)) == sorted(names(before))
    assert_answers(before, after, feeds_for(before), "output")


@pytest.mark.parametrize(("c", "stays"), [("float32[4,1,1]", False), ("float32[4]", True), ("float32", False)])
def test_channels_first(c, stays):
    """A vector lies along the width there; TensorFlow has no such kernel on every CPU, so structure decides."""
    source = CONV.replace("[2,5,5,3]", "[2,3,4,4]").replace("padding=SAME", "padding=SAME, data_format=NCHW")
    before, after = folded(f"{source}c = const({c})\noutput = Mul(conv, c)\nreturn output")
    assert ("Mul" in ops(after)) is stays
    if not stays:
        kernels = [_array(node(before, "k")), _array(next(n for n in after.node if n.op == "Const"))]
        np.testing.assert_allclose(kernels[0] * _array(node(before, "c")).reshape(-1), kernels[1], rtol=1e-6)


def _array(node_def):
    import tensorflow as tf

    return tf.make_ndarray(node_def.attr["value"].tensor)


def test_a_convolution_that_is_an_output_stays():
    before, after = folded(f"{CONV}c = const(float32[4])\noutput = Mul(conv, c)\nreturn output", ["conv", "output"])
    assert_answers(before, after, feeds_for(before), "conv", "output")


def test_two_scales_of_one_convolution():
    source = f"{CONV}c = const(float32[4])\nd = const(float32[4])\ny = Mul(conv, c)\nz = Mul(conv, d)\nreturn y, z"
    before, after = folded(source, ["y", "z"])
    assert_answers(before, after, feeds_for(before), "y", "z")


def test_a_kernel_that_two_convolutions_share():
    source = (
        f"{CONV}other = Conv2D(x, k, strides=[1,2,2,1], padding=SAME)\nc = const(float32[4])\nd = const(float32[4])\n"
        "y = Mul(conv, c)\nz = Mul(other, d)\nreturn y, z"
    )
    before, after = folded(source, ["y", "z"])
    assert "Mul" not in ops(after)
    assert_close(before, after, feeds_for(before), "y", "z")


def test_siblings_over_one_input():
    source = (
        f"{CONV}l = const(float32[1,1,3,4])\nother = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)\n"
        "c = const(float32[4])\ny = Mul(conv, c)\nz = Mul(other, c)\noutput = AddV2(y, z)\nreturn output"
    )
    assert_folds(source, ["AddV2", "Conv2D", "Conv2D"])


def test_batch_norm_as_arithmetic():
    def make(v1):
        x = v1.placeholder("float32", [2, 5, 5, 3], name="x")
        rng = np.random.default_rng(0)
        conv = v1.nn.conv2d(x, v1.constant(rng.normal(size=(3, 3, 3, 4)), "float32"), [1, 1, 1, 1], "SAME")
        mean, variance, beta, gamma = (v1.constant(rng.uniform(0.5, 1.5, 4), "float32") for _ in range(4))
        y = v1.nn.batch_normalization(conv, v1.identity(mean), v1.identity(variance), beta, gamma, 1e-3)
        v1.nn.relu(y, name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "fold_constants fold_batch_norms")
    assert ops(after) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1, "Relu": 1}
    assert_close(before, after, feeds_for(before), "output")


def test_loops():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [1, 4, 4, 3], name="x")
        kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)) / 5

        def body(i, y):
            conv = v1.nn.conv2d(y, v1.constant(kernel, "float32"), [1, 1, 1, 1], "SAME")
            return i + 1, conv * v1.constant([0.5, 1.0, 2.0])

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [0, x])[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "fold_batch_norms")
    assert "Mul" not in ops(after)
    assert_close(before, after, feeds_for(before), "output")


SUBDIVMUL = CONV + (
    "mean = const(float32[4])\ns = Sub(conv, mean)\nd = const(float32[4])\nq = RealDiv(s, d)\n"
    "gamma = const(float32[4])\nm = Mul(q, gamma)\nbeta = const(float32[4])\noutput = BiasAdd(m, beta)\nreturn output"
)


def test_subtraction_division_multiplication():
    before, after = folded(SUBDIVMUL, how="fold_subdivmul_batch_norms")
    assert ops(after) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1}
    assert node(after, "output").op == "BiasAdd"
    assert_close(before, after, feeds_for(before), "output")


def test_a_division_by_one_pixel_each_stays():
    before, after = folded(
        SUBDIVMUL.replace("d = const(float32[4])", "d = const(float32[5,1])"), how="fold_subdivmul_batch_norms"
    )
    assert "RealDiv" in ops(after)
    assert_close(before, after, feeds_for(before), "output")


def test_numbers_are_the_same_for_larger_batches():
    source = f"{CONV}c = const(float32[4])\noutput = Mul(conv, c)\nreturn output".replace("[2,5,5,3]", "[?,5,5,3]")
    before, after = folded(source)
    for batch in (1, 5):
        feeds = feeds_for(before, unknown=batch)
        np.testing.assert_allclose(
            run(before, feeds, "output")[0], run(after, feeds, "output")[0], rtol=1e-4, atol=1e-4
        )
