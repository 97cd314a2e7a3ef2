import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "remove_zero_bias"


def source(b: str, x: str = "?,2", attrs: str = "") -> str:
    return f"x = input(float32[{x}])\nb = const(float32, {b})\ns = BiasAdd(x, b{attrs})\ny = Relu(s)\nreturn y"


@pytest.mark.parametrize("b", ["[0, 1]", "[1, 1]"])
def test_ignores_other_biases(b):
    assert_ignores(NAME, source(b))


def test_declines_after_linear_op():
    text = "x = input(float32[?,2])\nk = const(float32[2,2])\nb = const(float32, [0, 0])\nm = MatMul(x, k)\n"
    assert_declines(NAME, f"{text}s = BiasAdd(m, b)\ny = Relu(s)\nreturn y", "run together")


@pytest.mark.parametrize("x", ["?,2", "2,2", "?,3,2"])
def test_fires(x):
    assert_rewrites(NAME, source("[0, -0.0]", x), f"x = input(float32[{x}])\ny = Relu(x)\nreturn y")
