import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "merge_bias_constants"


def source(inner: str, outer: str, x: str = "?,2", b: str = "[2]", c: str = "[2]", more: str = "") -> str:
    head = f"x = input(float32[{x}])\nb = const(float32{b})\nc = const(float32{c})\n"
    return f"{head}a = {inner}\ny = {outer}\nreturn y{more}"


FIRST, SECOND = ("AddV2(x, c)", "BiasAdd(a, b)"), ("BiasAdd(x, b)", "Add(c, a)")


@pytest.mark.parametrize(
    "text",
    [
        source("AddV2(x, c)", "AddV2(a, b)"),
        source("Mul(x, c)", "BiasAdd(a, b)"),
        source("BiasAdd(x, b)", "AddV2(a, x)"),
        source(*FIRST).replace("float32", "int32"),
    ],
)
def test_ignores(text):
    assert_ignores(NAME, text)


LINEAR = "k = const(float32[2,2])\nm = MatMul(x, k)\na = BiasAdd(m, b)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (source(*FIRST, more=", a"), "another node needs"),
        (source(*SECOND).replace("a = BiasAdd(x, b)", LINEAR), "run together"),
        (source(*FIRST, c="[3,2]"), "enlarge"),
        (source(*FIRST, x="?,?"), "enlarge"),
        (source(*FIRST, x="3,2", c="[3,1]"), "larger"),
        (source("AddV2(x, c)", "BiasAdd(a, b, data_format=NCHW)", "?,2,3,3", c=""), "NCHW"),
    ],
)
def test_declines(text, reason):
    assert_declines(NAME, text, reason)


@pytest.mark.parametrize(("inner", "outer"), [FIRST, SECOND, ("Add(c, x)", "BiasAdd(a, b)")])
@pytest.mark.parametrize(("x", "c"), [("?,2", "[2]"), ("3,2", "[3,2]"), ("?,4,2", ""), ("?,4,2", "[4,2]")])
def test_fires(inner, outer, x, c):
    dims = c or "[2]"
    after = f"x = input(float32[{x}])\nc = const(float32{dims})\ny = AddV2(x, c)\nreturn y"
    assert_rewrites(NAME, source(inner, outer, x, c=c), after)


def test_two_biases_are_one():
    text = source("BiasAdd(x, b)", "BiasAdd(a, c)")
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = {"x:0": np.array([[1, -2]], np.float32)}
    np.testing.assert_allclose(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"], rtol=1e-6)
