import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "replace_transpose_by_reshape"


def source(x: str, order: str) -> str:
    return f"x = input(float32[{x}])\np = const(int32, {order})\nt = Transpose(x, p)\ny = Relu(t)\nreturn y"


def test_ignores_unmoved_dimensions():
    assert_ignores(NAME, source("2,3", "[0, 1]"))


@pytest.mark.parametrize(
    ("x", "order", "reason"),
    [
        ("2,3", "[1, 0]", "change places"),
        ("?,1,3", "[2, 1, 0]", "change places"),
        ("0,3,1", "[1, 0, 2]", "change places"),
        ("*", "[1, 0]", "the rank is unknown"),
        ("?,1,?", "[1, 0, 2]", "the shape is open"),
        ("?,1,0", "[1, 0, 2]", "the shape is open"),
    ],
)
def test_declines(x, order, reason):
    assert_declines(NAME, source(x, order), reason)


@pytest.mark.parametrize("op", ["MatMul", "BatchMatMulV2"])
def test_declines_before_matmul(op):
    text = f"x = input(float32[4,1])\np = const(int32, [1, 0])\nt = Transpose(x, p)\ny = {op}(t, x)\nreturn y"
    assert_declines(NAME, text, "takes the transposition in")


@pytest.mark.parametrize("x", ["1,1,?", "1,1,5"])
def test_equal_sizes_change_places(x):
    assert_rewrites(NAME, source(x, "[1, 0, 2]"), f"x = input(float32[{x}])\ny = Relu(x)\nreturn y")


@pytest.mark.parametrize(
    ("x", "order", "target"),
    [
        ("2,1,3", "[1, 0, 2]", "[1, 2, 3]"),
        ("2,1,3,1", "[0, 2, 1, 3]", "[2, 3, 1, 1]"),
        ("?,7,1", "[0, 2, 1]", "[-1, 1, 7]"),
        ("0,1", "[1, 0]", "[1, 0]"),
    ],
)
def test_fires(x, order, target):
    after = f"x = input(float32[{x}])\ns = const(int32, {target})\nt = Reshape(x, s)\ny = Relu(t)\nreturn y"
    assert_rewrites(NAME, source(x, order), after)
