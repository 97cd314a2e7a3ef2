import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

FACTOR, DIVISOR = "hoist_common_factor", "hoist_common_divisor"


BOUNDED = "u = input({0}[3,4])\nv = input({0}[?,4])\nw = input({0}{1})\nx = Tanh(v)\na = Sigmoid(u)\nb = Tanh(w)\n"
INTS = "x = input(int32[?,4])\na = input(int32[3,4])\nb = input(int32[3,4])\n"


def source(inputs=INTS, first="Mul(x, a)", second="Mul(x, b)", total="AddV2(p, q)", out="y") -> str:
    return f"{inputs}p = {first}\nq = {second}\ny = {total}\nreturn {out}"


def test_ignores_products_without_a_common_factor():
    assert_ignores(FACTOR, source(first="Mul(x, a)", second="Mul(b, b)"))
    assert_ignores(FACTOR, source(second="AddV2(x, b)"))
    assert_ignores(FACTOR, source(total="AddV2(p, p)"))
    assert_ignores(DIVISOR, source(first="RealDiv(a, x)", second="RealDiv(x, b)"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"out": "p, y"}, "another node needs a term"),
        ({"inputs": BOUNDED.format("float16", "[3,4]")}, "may overflow"),
        ({"inputs": INTS.replace("int32", "complex64")}, "may overflow"),
        ({"inputs": INTS.replace("int32", "int8")}, "may overflow"),
        ({"inputs": INTS.replace("int32", "float32")}, "not known to be finite"),
        ({"inputs": BOUNDED.format("float32", "[3,4]").replace("Tanh", "Relu")}, "not known to be finite"),
        ({"inputs": BOUNDED.format("float32", "[4]")}, "one shape"),
        ({"inputs": BOUNDED.format("float32", "[?,4]")}, "one shape"),
        ({"inputs": INTS.replace("x = input(int32[?,4])", "x = const(int32[4])")}, "a constant folds"),
    ],
)
def test_declines(changes, reason):
    assert_declines(FACTOR, source(**changes), reason)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (INTS, "rounded one by one"),
        (BOUNDED.format("float32", "[3,4]").replace("w)", "u)"), "may be 0"),
    ],
)
def test_declines_divisors(inputs, reason):
    assert_declines(DIVISOR, source(inputs, "RealDiv(a, x)", "RealDiv(b, x)"), reason)


def test_many_terms_in_any_order():
    inputs = f"{INTS}c = input(int32[3,4])\n"
    assert_rewrites(
        FACTOR,
        f"{inputs}p = Mul(a, x)\nq = Mul(x, b)\nr = Mul(c, x)\ny = AddN(p, q, r)\nreturn y",
        f"{inputs}s = AddN(a, b, c)\ny = Mul(x, s)\nreturn y",
    )


def test_integers_wrap_around_alike():
    assert_rewrites(FACTOR, source(total="Sub(p, q)"), f"{INTS}s = Sub(a, b)\ny = Mul(x, s)\nreturn y")
