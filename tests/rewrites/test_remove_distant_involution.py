import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

EXACT, ROUNDING = "remove_distant_involution", "remove_distant_reciprocal"


def source(first: str, second: str, type_: str = "float32", out: str = "y") -> str:
    between = "r = ExpandDims(a, axis)\nt = Transpose(r, order)\ns = Squeeze(t)"
    shape = "axis = const(int32, 0)\norder = const(int32, [2, 0, 1])"
    return f"x = input({type_}[3,2])\n{shape}\na = {first}(x)\n{between}\ny = {second}(s)\nreturn {out}"


@pytest.mark.parametrize(("op", "type_"), [("Neg", "int32"), ("LogicalNot", "bool"), ("Invert", "int8")])
def test_across_a_chain(op, type_):
    text = source(op, op, type_)
    after = text.replace(f"{op}(x)", "Identity(x)").replace(f"{op}(s)", "Identity(s)")
    graph, expected = parse(text), parse(after)
    assert apply(graph, EXACT)[EXACT].applied == 1
    assert op not in {n.op for n in graph}
    x = np.array([[0, 1], [1, 1], [0, 0]]).astype(type_)
    np.testing.assert_array_equal(run(graph, {"x:0": x})["y:0"], run(expected, {"x:0": x})["y:0"])


@pytest.mark.parametrize("ops", [("Neg", "Abs"), ("Abs", "Neg"), ("Reciprocal", "Neg")])
def test_ignores_two_ops(ops):
    assert_ignores(EXACT, source(*ops))
    assert_ignores(ROUNDING, source(*ops))


@pytest.mark.parametrize("out", ["s, y", "t, y", "r, y"])
def test_ignores_values_between_that_are_fetched(out):
    assert_ignores(EXACT, source("Neg", "Neg", out=out))


def test_declines_an_inner_result_that_is_fetched():
    assert_declines(EXACT, source("Neg", "Neg", out="a, y"), "another node needs")


def test_declines_complex_reciprocals():
    assert_declines(ROUNDING, source("Reciprocal", "Reciprocal", "complex64"), "no floats")


def test_next_to_each_other_is_another_rule():
    assert_ignores(EXACT, "x = input(float32[2])\na = Neg(x)\ny = Neg(a)\nreturn y")


def test_identity_between():
    before = "x = input(float32[2])\na = Neg(x)\ni = Identity(a)\nn = Neg(i)\ny = Relu(n)\nreturn y"
    after = "x = input(float32[2])\ni = Identity(x)\ny = Relu(i)\nreturn y"
    assert_rewrites(EXACT, before, after)
