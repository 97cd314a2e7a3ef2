import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "fold_multiplication_by_zero"


def source(x: str, zero: str) -> str:
    return f"x = input({x})\nz = const({zero})\ny = Mul(x, z)\nreturn y"


def test_ignores_other_constants():
    assert_ignores(NAME, source("int32[3]", "int32, [0, 1, 0]"))


@pytest.mark.parametrize(
    ("x", "zero", "reason"),
    [
        ("float32[3]", "float32, 0", "NaN"),
        ("complex64[3]", "complex64, 0", "NaN"),
        ("int32[?]", "int32, 0", "not known"),
        ("int32[*]", "int32, 0", "not known"),
        ("int32[2000,2000]", "int32, 0", "large"),
    ],
)
def test_declines(x, zero, reason):
    assert_declines(NAME, source(x, zero), reason)


def test_declines_effect():
    text = "x = input(int32[3])\nz = const(int32, 0)\nshown = Print(x, x)\ny = Mul(shown, z)\nreturn y"
    assert_declines(NAME, text, "effect")


def test_shape_is_the_broadcast_one():
    assert_rewrites(NAME, source("int8[2,1]", "int8, [0, 0]"), "y = const(int8, [[0, 0], [0, 0]])\nreturn y")
