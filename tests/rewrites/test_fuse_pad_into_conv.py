import pytest

from tests.harness import assert_declines, assert_rewrites

NAME = "fuse_pad_into_conv"
PAD = "x = input(float32[2,7,7,3])\np = const(int32, {p})\npadded = Pad(x, p)\nk = const(float32[3,3,3,4])\n"
ONES = "[[0,0],[1,1],[1,1],[0,0]]"

DECLINES = [
    (
        "pads_already",
        PAD.format(p=ONES) + "y = Conv2D(padded, k, strides=[1,1,1,1], padding=SAME)\nreturn y",
        "already",
    ),
    (
        "batch",
        PAD.format(p="[[1,0],[1,1],[1,1],[0,0]]") + "y = Conv2D(padded, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
        "batch or channels",
    ),
    (
        "depthwise",
        PAD.format(p="[[0,0],[2,2],[2,2],[0,0]]")
        + "y = DepthwiseConv2dNative(padded, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
        "not portable",
    ),
]


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(source, reason):
    assert_declines(NAME, source, reason)


def test_same_where_it_pads_alike():
    assert_rewrites(
        NAME,
        PAD.format(p=ONES) + "y = Conv2D(padded, k, strides=[1,1,1,1], padding=VALID)\nreturn y",
        "x = input(float32[2,7,7,3])\nk = const(float32[3,3,3,4])\n"
        "y = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\nreturn y",
    )


def test_nchw_explicit():
    assert_rewrites(
        NAME,
        "x = input(float32[2,3,8,8])\np = const(int32, [[0,0],[0,0],[2,1],[0,3]])\npadded = Pad(x, p)\n"
        "k = const(float32[3,3,3,4])\n"
        "y = Conv2D(padded, k, strides=[1,1,2,2], padding=VALID, data_format=NCHW)\nreturn y",
        "x = input(float32[2,3,8,8])\nk = const(float32[3,3,3,4])\ny = Conv2D(x, k, strides=[1,1,2,2], "
        "padding=EXPLICIT, explicit_paddings=[0,0,0,0,2,1,0,3], data_format=NCHW)\nreturn y",
    )
