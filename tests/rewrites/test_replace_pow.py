import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "replace_pow"


def source(exponent: str, type_: str = "float32", function: str = "Identity(x)", dims: str = "?,4") -> str:
    inputs = f"x = input({type_}[{dims}])\nf = {function}\ne = const({type_}, {exponent})"
    return f"{inputs}\ny = Pow(f, e)\nz = Neg(x)\nreturn y, z"


@pytest.mark.parametrize("exponent", ["4", "1.5", "-2", "nan", "[2, 3, 2, 2]"])
def test_ignores_other_exponents(exponent):
    assert_ignores(NAME, source(exponent))


def test_ignores_exponents_that_are_no_constants():
    assert_ignores(NAME, "x = input(float32[2])\ne = input(float32)\ny = Pow(x, e)\nreturn y")


@pytest.mark.parametrize("exponent", ["[2]", "[[2]]", "[[[2]]]"])
def test_declines_what_may_enlarge(exponent):
    assert_declines(NAME, source(exponent, dims="*"), "enlarge")


@pytest.mark.parametrize("exponent", ["0.5", "-0.5"])
@pytest.mark.parametrize("function", ["Identity(x)", "Tanh(x)", "Expm1(x)"])
def test_declines_roots_of_what_may_be_negative(exponent, function):
    assert_declines(NAME, source(exponent, function=function), "is another")


@pytest.mark.parametrize("function", ["Abs(x)", "Relu(x)", "Sigmoid(x)"])
def test_declines_the_reciprocal_root_of_what_may_be_zero(function):
    assert_declines(NAME, source("-0.5", function=function), "−0 is another")


def test_reciprocal_root_of_a_positive_number():
    before = "x = input(float32[?,4])\ns = Square(x)\nc = const(float32, 0.001)\nv = AddV2(s, c)\n"
    power = "e = const(float32, -0.5)\ny = Pow(v, e)\nreturn y"
    assert_rewrites(NAME, before + power, f"{before}y = Rsqrt(v)\nreturn y")


@pytest.mark.parametrize(("type_", "exponent"), [("int32", "-1"), ("int64", "-1")])
def test_declines_negative_powers_of_integers(type_, exponent):
    assert_declines(NAME, source(exponent, type_), "no floats")


def test_ignores_complex_numbers():
    assert_ignores(NAME, source("2", "complex64"))


@pytest.mark.parametrize("type_", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("exponent", ["0", "1", "2", "3", "-1", "0.5", "-0.5"])
def test_special_values(type_, exponent):
    if type_ == "int32" and exponent not in "0123":
        pytest.skip("integers have no such powers")
    root = exponent.endswith("0.5")
    lines = "a = Abs(x)\nc = const({0}, 0.001)\nf = AddV2(a, c)" if root else "f = Identity(x)"
    text = f"x = input({type_}[?])\n{lines.format(type_)}\ne = const({type_}, {exponent})\ny = Pow(f, e)\nreturn y"
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    x = (
        [0, -3, 7, 70000, -2]
        if type_ == "int32"
        else [0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, -2.0, 300.0, -300.0, 0.01]
    )
    feeds = {"x:0": np.array(x * 3).astype(type_)}
    a, b = run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"]
    np.testing.assert_allclose(a, b, rtol=3e-3 if type_ == "float16" else 2e-6)
    assert np.array_equal(np.signbit(a[~np.isnan(a)]), np.signbit(b[~np.isnan(b)]))
