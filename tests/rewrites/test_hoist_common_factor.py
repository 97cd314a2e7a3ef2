import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

FACTOR, DIVISOR = "hoist_common_factor", "hoist_common_divisor"


def source(type_="float32", x="[?,4]", b="[3,4]", first="Mul(x, a)", second="Mul(x, b)", total="AddV2(p, q)", out="y"):
    inputs = f"x = input({type_}{x})\na = input({type_}[3,4])\nb = input({type_}{b})"
    return f"{inputs}\np = {first}\nq = {second}\ny = {total}\nreturn {out}"


def test_ignores_products_without_a_common_factor():
    assert_ignores(FACTOR, source(first="Mul(x, a)", second="Mul(b, b)"))
    assert_ignores(FACTOR, source(second="AddV2(x, b)"))
    assert_ignores(FACTOR, source(total="AddV2(p, p)"))
    assert_ignores(DIVISOR, source(first="RealDiv(a, x)", second="RealDiv(x, b)"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"out": "p, y"}, "another node needs a term"),
        ({"type_": "float16"}, "may overflow"),
        ({"type_": "complex64"}, "may overflow"),
        ({"b": "[?,4]"}, "one shape"),
        ({"b": "[4]"}, "one shape"),
    ],
)
def test_declines(changes, reason):
    assert_declines(FACTOR, source(**changes), reason)


def test_declines_a_constant_factor():
    text = source().replace("x = input(float32[?,4])", "x = const(float32[4])")
    assert_declines(FACTOR, text, "a constant folds")


def test_declines_to_divide_integers():
    text = source("int32", first="Div(a, x)", second="Div(b, x)").replace("Div(", "RealDiv(")
    assert_declines(DIVISOR, text, "rounded one by one")


def test_many_terms_in_any_order():
    before = "x = input(float32[3,4])\na = input(float32[3,4])\nb = input(float32[3,4])\nc = input(float32[3,4])\n"
    assert_rewrites(
        FACTOR,
        f"{before}p = Mul(a, x)\nq = Mul(x, b)\nr = Mul(c, x)\ny = AddN(p, q, r)\nreturn y",
        f"{before}s = AddN(a, b, c)\ny = Mul(x, s)\nreturn y",
    )


def test_integers_wrap_around_alike():
    after = (
        "x = input(int32[?,4])\na = input(int32[3,4])\nb = input(int32[3,4])\ns = Sub(a, b)\ny = Mul(x, s)\nreturn y"
    )
    assert_rewrites(FACTOR, source("int32", total="Sub(p, q)"), after)
