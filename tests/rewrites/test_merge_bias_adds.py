import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "merge_bias_adds"
BIASED = (
    "x = input(float32[2,6,6,3])\nk = const(float32[3,3,3,4])\n"
    "conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\nb = const(float32[4])\n"
)


def test_ignores_a_constant_minus_the_sum():
    assert_ignores(NAME, BIASED + "z = BiasAdd(conv, b)\nc = const(float32[4])\ny = Sub(c, z)\nreturn y")


def test_declines_a_second_reader_of_the_first_sum():
    source = BIASED + "z = BiasAdd(conv, b)\nc = const(float32[4])\ny = AddV2(z, c)\nr = Relu(z)\nreturn y, r"
    assert_declines(NAME, source, "another node reads")


@pytest.mark.parametrize("add", ["AddV2(z, c)", "Add(c, z)", "Sub(z, c)", "BiasAdd(z, c)"])
def test_forms(add):
    after = BIASED + "y = BiasAdd(conv, b)\nreturn y"
    assert_rewrites(NAME, BIASED + f"z = BiasAdd(conv, b)\nc = const(float32[4])\ny = {add}\nreturn y", after)
