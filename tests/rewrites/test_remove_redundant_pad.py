import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

SOURCE = "x = input(float32[2,3])\nv = const(float32)\np = const(int32, {p})\na = {op}\ny = Relu(a)\nreturn y"
OPS = ["Pad(x, p)", "PadV2(x, p, v)", "MirrorPad(x, p, mode=REFLECT)"]


@pytest.mark.parametrize("op", OPS)
def test_ignores_padding(op):
    assert_ignores("remove_redundant_pad", SOURCE.format(op=op, p="[[0, 0], [0, 1]]"))


@pytest.mark.parametrize("op", OPS)
def test_fires(op):
    assert_rewrites(
        "remove_redundant_pad",
        SOURCE.format(op=op, p="[[0, 0], [0, 0]]"),
        "x = input(float32[2,3])\ny = Relu(x)\nreturn y",
    )


def test_merge_pads_declines_second_reader():
    source = "x = input(float32[2])\np = const(int32, [[1, 2]])\na = Pad(x, p)\nb = Pad(a, p)\nreturn a, b"
    assert_declines("merge_pads", source, "an output")
