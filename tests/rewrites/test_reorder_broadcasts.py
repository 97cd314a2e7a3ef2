import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "reorder_broadcasts"


def source(type_="float32", x="[?,8,4]", a="[?,1,4]", b="[4]", inner="Mul(x, a)", outer="Mul(m, b)", out="y") -> str:
    inputs = f"x = input({type_}{x})\na = input({type_}{a})\nb = input({type_}{b})"
    return f"{inputs}\nm = {inner}\ny = {outer}\nreturn {out}"


@pytest.mark.parametrize(
    "changes",
    [
        {"b": "[?,8,4]"},
        {"a": "[?,8,4]"},
        {"x": "[*]"},
        {"inner": "AddV2(x, a)"},
        {"x": "[1,1,4]", "a": "[1,4]", "b": "[3,8,4]"},
    ],
)
def test_ignores(changes):
    assert_ignores(NAME, source(**changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a": "[?,1,4]", "b": "[8,1]"}, "as large"),
        ({"type_": "float16"}, "overflow"),
        ({"type_": "int8"}, "overflow"),
        ({"out": "m, y"}, "an inner node is an output"),
    ],
)
def test_declines(changes, reason):
    assert_declines(NAME, source(**changes), reason)


def test_declines_constants():
    assert_declines(NAME, source().replace("b = input(float32[4])", "b = const(float32[4])"), "a constant folds")


def test_sums_with_the_large_operand_anywhere():
    inputs = "x = input(float32[?,8,4])\na = input(float32[?,1,4])\nb = input(float32[4])"
    after = f"{inputs}\ns = AddV2(a, b)\ny = AddV2(x, s)\nreturn y"
    assert_rewrites(NAME, source(inner="Add(a, x)", outer="AddV2(b, m)"), after)


def test_integers():
    inputs = "x = input(int32[?,8,4])\na = input(int32[?,1,4])\nb = input(int32[4])"
    after = f"{inputs}\ns = Mul(a, b)\ny = Mul(x, s)\nreturn y"
    assert_rewrites(NAME, source("int32", inner="Mul(a, x)"), after)
