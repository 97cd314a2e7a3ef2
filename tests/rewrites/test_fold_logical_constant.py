import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "fold_logical_constant"


def source(op: str, c: str, x: str = "2,1") -> str:
    return f"x = input(bool[{x}])\nc = const(bool, {c})\ny = {op}\nreturn y"


@pytest.mark.parametrize(
    ("op", "c"), [("LogicalAnd(x, c)", "True"), ("LogicalOr(x, c)", "False"), ("LogicalOr(x, c)", "[True, False]")]
)
def test_ignores(op, c):
    assert_ignores(NAME, source(op, c))


def test_ignores_no_elements():
    assert_ignores(NAME, source("LogicalOr(x, c)", "[]"))


@pytest.mark.parametrize(("x", "reason"), [("?", "not known"), ("*", "not known"), ("5000,5000", "large")])
def test_declines(x, reason):
    assert_declines(NAME, source("LogicalOr(x, c)", "True", x), reason)


def test_declines_effect():
    text = "x = input(bool[2])\nc = const(bool, True)\nshown = Print(x, x)\ny = LogicalOr(c, shown)\nreturn y"
    assert_declines(NAME, text, "effect")


@pytest.mark.parametrize(
    ("op", "c", "result"),
    [
        ("LogicalAnd(c, x)", "False", "[[False], [False]]"),
        ("LogicalOr(x, c)", "[True, True]", "[[True, True], [True, True]]"),
    ],
)
def test_fires(op, c, result):
    assert_rewrites(NAME, source(op, c), f"y = const(bool, {result})\nreturn y")
