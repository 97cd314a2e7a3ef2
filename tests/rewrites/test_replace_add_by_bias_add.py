import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "replace_add_by_bias_add"
CONV = (
    "x = input(float32[2,6,6,3])\nk = const(float32[3,3,3,4])\nconv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
)
NCHW = (
    "x = input(float32[2,3,6,6])\nk = const(float32[3,3,3,4])\n"
    "conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\n"
)


def test_ignores_a_constant_minus_the_convolution():
    assert_ignores(NAME, CONV + "c = const(float32[4])\ny = Sub(c, conv)\nreturn y")


def test_declines_a_shift_along_the_width():
    assert_declines(NAME, CONV + "c = const(float32[6,4])\ny = AddV2(conv, c)\nreturn y", "output channel")


@pytest.mark.parametrize("add", ["AddV2(conv, c)", "Add(c, conv)", "Sub(conv, c)"])
@pytest.mark.parametrize("c", ["float32", "float32[4]", "float32[1,1,4]"])
def test_forms(add, c):
    after = CONV + "b = const(float32[4])\ny = BiasAdd(conv, b)\nreturn y"
    assert_rewrites(NAME, CONV + f"c = const({c})\ny = {add}\nreturn y", after)


def test_nchw():
    after = NCHW + "b = const(float32[4])\ny = BiasAdd(conv, b, data_format=NCHW)\nreturn y"
    assert_rewrites(NAME, NCHW + "c = const(float32[4,1,1])\ny = AddV2(conv, c)\nreturn y", after)


def test_other_readers_of_the_convolution_do_not_matter():
    before = CONV + "c = const(float32[4])\ny = AddV2(conv, c)\nz = Relu(conv)\nreturn y, z"
    after = CONV + "c = const(float32[4])\ny = BiasAdd(conv, c)\nz = Relu(conv)\nreturn y, z"
    assert_rewrites(NAME, before, after)
