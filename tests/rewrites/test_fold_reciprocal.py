import pytest

from tests.harness import assert_declines, assert_ignores


def source(type_: str, one: str, op: str) -> str:
    return f"c = const({type_}, {one})\nx = input({type_}[3])\ny = {op}\nreturn y"


@pytest.mark.parametrize(("one", "op"), [("2", "RealDiv(c, x)"), ("1", "RealDiv(x, c)"), ("1", "DivNoNan(c, x)")])
def test_ignores(one, op):
    assert_ignores("fold_reciprocal", source("float32", one, op))


@pytest.mark.parametrize(("type_", "one", "reason"), [("complex64", "1", "no floats"), ("float32", "[[1]]", "enlarge")])
def test_declines(type_, one, reason):
    assert_declines("fold_reciprocal", source(type_, one, "RealDiv(c, x)"), reason)


def test_double_reciprocal_declines_complex():
    source = "x = input(complex64[3])\na = Reciprocal(x)\ny = Reciprocal(a)\nreturn y"
    assert_declines("remove_double_reciprocal", source, "no floats")
