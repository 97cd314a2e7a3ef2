import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "fold_logical_not_into_comparison"
PAIRS = [("Equal", "NotEqual"), ("Less", "GreaterEqual"), ("LessEqual", "Greater")]


def source(type_: str, op: str, returned: str = "y") -> str:
    return f"a = input({type_}[?,4])\nb = input({type_}[4])\nc = {op}(a, b)\ny = LogicalNot(c)\nreturn {returned}"


@pytest.mark.parametrize(("one", "other"), [*PAIRS, *((b, a) for a, b in PAIRS)])
def test_each_comparison(one, other):
    after = f"a = input(int64[?,4])\nb = input(int64[4])\ny = {other}(a, b)\nreturn y"
    assert_rewrites(NAME, source("int64", one), after)


@pytest.mark.parametrize("op", ["Less", "LessEqual", "Greater", "GreaterEqual"])
def test_declines_to_order_floats(op):
    assert_declines(NAME, source("float32", op), "NaN")


def test_keeps_a_fetched_comparison():
    assert_declines(NAME, source("int32", "Less", "c, y"), "an inner node is an output")


def test_ignores_other_sources():
    assert_ignores(NAME, "a = input(bool[4])\nb = input(bool[4])\nc = LogicalAnd(a, b)\ny = LogicalNot(c)\nreturn y")


def test_equality_of_nan():
    graph = parse(source("float32", "Equal"))
    assert apply(graph, NAME)[NAME].applied == 1
    a = np.full((2, 4), np.nan, np.float32)
    feeds = {"a:0": a, "b:0": a[0]}
    assert run(graph, feeds)["y:0"].all()
    assert run(parse(source("float32", "Equal")), feeds)["y:0"].all()


def test_shapes_that_do_not_fit_stay_unequal():
    text = "a = input(int32[*])\nb = input(int32[*])\nc = Equal(a, b, incompatible_shape_error=false)\n"
    graph = parse(text + "y = LogicalNot(c)\nreturn y")
    assert apply(graph, NAME)[NAME].applied == 1
    assert run(graph, {"a:0": np.zeros(3, np.int32), "b:0": np.zeros(2, np.int32)})["y:0"]
