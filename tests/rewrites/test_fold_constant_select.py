import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "fold_constant_select"


def source(op: str, c: str, x: str = "?,4", z: str = "?,4") -> str:
    head = f"x = input(float32[{x}])\nz = input(float32[{z}])\nc = const(bool, {c})\n"
    return f"{head}s = {op}(c, x, z)\ny = Relu(s)\nreturn y, z"


@pytest.mark.parametrize("c", ["[True, False, True, True]", "[]"])
def test_ignores_mixed_choices(c):
    assert_ignores(NAME, source("SelectV2", c))


@pytest.mark.parametrize(
    ("c", "x", "z"),
    [
        ("True", "4", "2,4"),
        ("True", "?,4", "?,4"),  # two unknown dimensions, one of which may be 1
        ("True", "?", "?"),
        ("[True, True]", "*", ""),
        ("[[True], [True]]", "1,4", "4"),
        ("False", "2,4", "1,4"),
    ],
)
def test_declines(c, x, z):
    assert_declines(NAME, source("SelectV2", c, x, z), "enlarge")


def test_declines_effect():
    text = "x = input(float32[4])\nc = const(bool, True)\ns = Print(x, x)\nr = Select(c, x, s)\ny = Relu(r)\nreturn y"
    assert_declines(NAME, text, "effect")


@pytest.mark.parametrize(("c", "taken"), [("True", "x"), ("False", "z"), ("[True, True, True]", "x")])
def test_select_of_equal_shapes(c, taken):
    text = source("Select", c, "3,4", "3,4")
    head = "x = input(float32[3,4])\nz = input(float32[3,4])\n"
    assert_rewrites(NAME, text, f"{head}y = Relu({taken})\nreturn y, z")


@pytest.mark.parametrize(("c", "x", "z"), [("[True, True]", "?,2", "2"), ("[[True]]", "?,2", "1,1")])
def test_small_operands_broadcast(c, x, z):
    head = f"x = input(float32[{x}])\nz = input(float32[{z}])\n"
    assert_rewrites(NAME, source("SelectV2", c, x, z), f"{head}y = Relu(x)\nreturn y, z")


def test_nan_that_is_not_taken_stays_away():
    text = source("SelectV2", "True", "2", "1")
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = {"x:0": np.array([1, -0.0], np.float32), "z:0": np.array([np.nan], np.float32)}
    np.testing.assert_array_equal(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"])
