import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, canonical, parse

NAME = "fuse_squared_difference"


def source(type_: str = "float32", b: str = "input(float32[?,4])", returned: str = "y") -> str:
    return f"a = input({type_}[?,4])\nb = {b}\nd = Sub(a, b)\ny = Square(d)\nreturn {returned}"


def test_ignores_sum():
    assert_ignores(NAME, "a = input(float32[4])\nb = input(float32[4])\nd = AddV2(a, b)\ny = Square(d)\nreturn y")


def test_keeps_a_fetched_difference():
    assert_declines(NAME, source(returned="d, y"), "an inner node is an output")


@pytest.mark.parametrize("type_", ["complex64", "int8"])
def test_declines_dtypes_without_kernel(type_):
    assert_declines(NAME, source(type_, f"input({type_}[?,4])"), "no kernel")


def test_declines_a_constant_shift():
    assert_declines(NAME, source(b="const(float32[4])"), "a constant operand folds")


@pytest.mark.parametrize("type_", ["float64", "int32", "int64"])
def test_other_dtypes(type_):
    after = f"a = input({type_}[?,4])\nb = input({type_}[?,4])\ny = SquaredDifference(a, b)\nreturn y"
    assert_rewrites(NAME, source(type_, f"input({type_}[?,4])"), after)


def test_a_difference_times_itself():
    before = parse("a = input(float32[4])\nb = input(float32[4])\nd = Sub(a, b)\ny = Mul(d, d)\nreturn y")
    apply(before, NAME, "replace_mul_by_square")
    after = parse("a = input(float32[4])\nb = input(float32[4])\ny = SquaredDifference(a, b)\nreturn y")
    assert canonical(before) == canonical(after)
