"""fuse_resize_pad_and_conv, fuse_resize_and_conv, fuse_pad_and_conv and fuse_convolutions, which runs them all."""

import pytest

from tests.compat.helpers import assert_answers, assert_close, build, feeds_for, names, node, ops, transform, written

IMAGE = "x = input(float32[1,2,3,2])\nn = const(int32, [12,4])\n"
RESIZE = "r = ResizeBilinear(x, n)\n"
PAD = "p = const(int32, [[0,0],[1,1],[2,2],[0,0]])\nm = MirrorPad({of}, p, mode=REFLECT)\n"
CONV = "k = const(float32[1,2,2,2])\noutput = Conv2D({of}, k, strides=[1,1,1,1], padding=VALID)\nreturn output"
ALL = "fuse_resize_pad_and_conv fuse_resize_and_conv fuse_pad_and_conv"

RESIZE_PAD = IMAGE + RESIZE + PAD.format(of="r") + CONV.format(of="m")
RESIZE_ONLY = IMAGE + RESIZE + CONV.format(of="r")
PAD_ONLY = "x = input(float32[1,6,7,2])\n" + PAD.format(of="x") + CONV.format(of="m")


@pytest.mark.parametrize(
    ("how", "source", "op"),
    [
        ("fuse_resize_pad_and_conv", RESIZE_PAD, "FusedResizeAndPadConv2D"),
        ("fuse_resize_and_conv", RESIZE_ONLY, "FusedResizeAndPadConv2D"),
        ("fuse_pad_and_conv", PAD_ONLY, "FusedPadConv2D"),
        (ALL, RESIZE_PAD, "FusedResizeAndPadConv2D"),
        ("fuse_convolutions", RESIZE_PAD, "FusedResizeAndPadConv2D"),
        ("fuse_convolutions", RESIZE_ONLY, "FusedResizeAndPadConv2D"),
        ("fuse_convolutions", PAD_ONLY, "FusedPadConv2D"),
    ],
)
def test_fuses(how, source, op):
    before = written(source)
    after = transform(before, ["x"], ["output"], how)
    assert node(after, "output").op == op
    assert not {"MirrorPad", "ResizeBilinear", "Conv2D"} & set(ops(after))
    assert_close(before, after, feeds_for(before), "output")


def test_the_dummy_paddings_have_their_name():
    after = transform(written(RESIZE_ONLY), ["x"], ["output"], "fuse_resize_and_conv")
    assert "output_dummy_paddings" in names(after)


@pytest.mark.parametrize(
    ("how", "source"),
    [
        ("fuse_resize_and_conv", RESIZE_ONLY.replace("(x, n)", "(x, n, half_pixel_centers=true)")),
        ("fuse_resize_pad_and_conv", RESIZE_PAD.replace("(x, n)", "(x, n, half_pixel_centers=true)")),
        ("fuse_resize_and_conv", RESIZE_ONLY.replace("VALID", "VALID, dilations=[1,1,2,1]")),
        ("fuse_pad_and_conv", PAD_ONLY.replace("VALID", "VALID, dilations=[1,1,2,1]")),
        ("fuse_pad_and_conv", PAD_ONLY.replace("VALID", "EXPLICIT, explicit_paddings=[0,0,1,0,0,1,0,0]")),
        ("fuse_resize_and_conv", RESIZE_ONLY.replace("x = input(float32", "x = input(uint8")),
        ("fuse_convolutions", RESIZE_PAD.replace("x = input(float32[1,", "x = input(float32[2,")),
    ],
)
def test_leaves_what_the_fused_op_cannot_say(how, source):
    before = written(source)
    after = transform(before, ["x"], ["output"], how)
    assert ops(after) == ops(before)
    feeds = feeds_for(before)
    if "uint8" in source:
        feeds["x"] = (feeds["x"] * 50).astype("uint8")
    assert_answers(before, after, feeds, "output")


@pytest.mark.parametrize("inner", ["r", "m"])
def test_inner_outputs_stay(inner):
    before = written(RESIZE_PAD)
    after = transform(before, ["x"], ["output", inner], "fuse_convolutions")
    assert_close(before, after, feeds_for(before), "output", inner)


def test_paddings_of_int64():
    before = written(PAD_ONLY.replace("p = const(int32", "p = const(int64"))
    after = transform(before, ["x"], ["output"], "fuse_pad_and_conv")
    assert ops(after) == {"Placeholder": 1, "Const": 2, "FusedPadConv2D": 1}
    assert_close(before, after, feeds_for(before), "output")


def test_zero_padding_becomes_the_convolutions_own():
    before = written(PAD_ONLY.replace("MirrorPad(x, p, mode=REFLECT)", "Pad(x, p)"))
    after = transform(before, ["x"], ["output"], ALL)
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Conv2D": 1}
    assert_close(before, after, feeds_for(before), "output")


def test_loops():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [1, 6, 6, 2], name="x")

        def body(i, y):
            padded = v1.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
            kernel = v1.constant([[[[0.1, 0.2], [0.3, 0.4]]] * 3] * 3)
            return i + 1, v1.nn.conv2d(padded, kernel, [1, 1, 1, 1], "VALID")

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [0, x])[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "fuse_pad_and_conv")
    assert ops(after)["FusedPadConv2D"] == 1
    assert_close(before, after, feeds_for(before), "output")
