"""flatten_atrous_conv: the original's tests, and its wrong sizes and aborts."""

import numpy as np
import pytest

from tests.compat.helpers import assert_close, build, feeds_for, names, ops, transform, written


def folded(before, outputs=("output",), how="flatten_atrous_conv"):
    return transform(before, ["x"], outputs, how)


@pytest.mark.parametrize(("op", "kernel"), [("Conv2D", "2,2,2,2"), ("DepthwiseConv2dNative", "2,2,2,2")])
def test_an_even_kernel(op, kernel):
    before = written(
        "x = input(float32[1,3,3,2])\nblock = const(int32, [2,2])\npaddings = const(int32, [[1,2],[1,2]])\n"
        f"s = SpaceToBatchND(x, block, paddings)\nk = const(float32[{kernel}])\n"
        f"conv = {op}(s, k, strides=[1,1,1,1], padding=VALID)\ncrops = const(int32, [[0,1],[0,1]])\n"
        "output = BatchToSpaceND(conv, block, crops)\nreturn output"
    )
    after = folded(before)
    assert len(after.node) == 3
    assert sorted(ops(after)) == sorted(["Placeholder", "Const", op])
    assert_close(before, after, feeds_for(before), "output", tolerance=1e-6)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [9, None])
def test_any_size_and_padding(padding, size):
    """The runtime computes paddings and crops where it does not know the size."""

    def make(v1):
        x = v1.placeholder("float32", [2, size, size, 3], name="x")
        rate, kernel = [3, 3], v1.constant(np.random.default_rng(0).normal(size=(3, 3, 3, 4)), "float32")
        base = [[3, 3], [3, 3]] if padding == "SAME" else [[0, 0], [0, 0]]
        paddings, crops = v1.required_space_to_batch_paddings(v1.shape(x)[1:3], rate, v1.constant(base))
        split = v1.space_to_batch_nd(x, rate, paddings)
        conv = v1.nn.conv2d(split, kernel, [1, 1, 1, 1], "VALID")
        v1.nn.relu(v1.batch_to_space_nd(conv, rate, crops), name="output")

    before = build(make)
    after = folded(before)
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Conv2D": 1, "Relu": 1}
    for unknown in (8, 9, 10):
        assert_close(before, after, feeds_for(before, unknown=unknown), "output")


@pytest.mark.parametrize("type_", ["float16", "float64"])
def test_other_dtypes(type_):
    source = (
        "x = input(float32[2,6,6,3])\nblock = const(int32, [2,2])\npaddings = const(int32, [[2,2],[2,2]])\n"
        "s = SpaceToBatchND(x, block, paddings)\nk = const(float32[3,3,3,4])\n"
        "conv = Conv2D(s, k, strides=[1,1,1,1], padding=VALID)\ncrops = const(int32, [[0,0],[0,0]])\n"
        "output = BatchToSpaceND(conv, block, crops)\nreturn output"
    ).replace("float32", type_)
    assert ops(folded(written(source))) == {"Placeholder": 1, "Const": 1, "Conv2D": 1}


RATES = """
x = input(float32[1,12,12,3])
k = const(float32[3,3,3,4])
two = const(int32, [2,2])
three = const(int32, [3,3])
none = const(int32, [[0,0],[0,0]])
p2 = const(int32, [[2,2],[2,2]])
p3 = const(int32, [[3,3],[3,3]])
s2 = SpaceToBatchND(x, two, p2)
s3 = SpaceToBatchND(x, three, p3)
"""


def test_one_kernel_at_two_rates_and_plain():
    before = written(
        f"{RATES}c2 = Conv2D(s2, k, strides=[1,1,1,1], padding=VALID)\n"
        "c3 = Conv2D(s3, k, strides=[1,1,1,1], padding=VALID)\n"
        "y2 = BatchToSpaceND(c2, two, none)\ny3 = BatchToSpaceND(c3, three, none)\n"
        "y1 = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\ns = AddV2(y1, y2)\noutput = AddV2(s, y3)\nreturn output"
    )
    after = folded(before)
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Conv2D": 3, "AddV2": 2}
    assert_close(before, after, feeds_for(before), "output")


def test_one_depthwise_kernel_that_is_also_plain():
    before = written(
        f"{RATES}c2 = DepthwiseConv2dNative(s2, k, strides=[1,1,1,1], padding=VALID)\n"
        "y2 = BatchToSpaceND(c2, two, none)\n"
        "y1 = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)\noutput = AddV2(y1, y2)\nreturn output"
    )
    after = folded(before)
    assert {"s3", "three", "p3"} <= set(names(after))  # nobody read them before either
    assert ops(after) == {"Placeholder": 1, "Const": 4, "SpaceToBatchND": 1, "DepthwiseConv2dNative": 2, "AddV2": 1}
    assert_close(before, after, feeds_for(before), "output")


def test_a_kernel_that_is_computed():
    before = written(
        f"{RATES}l = Tanh(k)\nc2 = Conv2D(s2, l, strides=[1,1,1,1], padding=VALID)\n"
        "output = BatchToSpaceND(c2, two, none)\nreturn output"
    )
    after = folded(before)
    assert "BatchToSpaceND" not in ops(after)
    assert_close(before, after, feeds_for(before), "output")


def test_pyramids_over_one_input():
    def make(v1):
        x = v1.placeholder("float32", [1, 12, 12, 3], name="x")
        rng, found = np.random.default_rng(0), []
        for rate in (2, 3, 4):
            kernel = v1.constant(rng.normal(size=(3, 3, 3, 4)), "float32")
            split = v1.space_to_batch_nd(x, [rate, rate], [[rate, rate], [rate, rate]])
            conv = v1.nn.conv2d(split, kernel, [1, 1, 1, 1], "VALID")
            found.append(v1.batch_to_space_nd(conv, [rate, rate], [[0, 0], [0, 0]]))
        v1.concat(found, 3, name="output")

    before = build(make)
    after = folded(before)
    assert ops(after) == {"Placeholder": 1, "Const": 4, "Conv2D": 3, "ConcatV2": 1}
    assert_close(before, after, feeds_for(before), "output")


def test_what_is_dilated_already_stays():
    before = written(
        "x = input(float32[1,9,9,3])\nk = const(float32[3,3,3,4])\n"
        "output = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, dilations=[1,2,2,1])\nreturn output"
    )
    assert sorted(names(folded(before))) == ["k", "output", "x"]


def test_loops():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [1, 6, 6, 3], name="x")

        def body(i, y):
            kernel = v1.constant(np.random.default_rng(0).normal(size=(3, 3, 3, 3)) / 5, "float32")
            split = v1.space_to_batch_nd(y, [2, 2], [[2, 2], [2, 2]])
            conv = v1.nn.conv2d(split, kernel, [1, 1, 1, 1], "VALID")
            return i + 1, v1.reshape(v1.batch_to_space_nd(conv, [2, 2], [[0, 0], [0, 0]]), [1, 6, 6, 3])

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [0, x])[1], name="output")

    before = build(make)
    after = folded(before)
    assert "BatchToSpaceND" not in ops(after)
    assert_close(before, after, feeds_for(before), "output")
