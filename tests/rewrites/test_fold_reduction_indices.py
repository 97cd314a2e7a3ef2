import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, canonical, parse, run
from tfpare.ir.types import Shape

NAME = "fold_reduction_indices"


def source(x: str, axes: str, op: str = "Sum", attrs: str = "") -> str:
    return f"x = input({x})\naxes = {axes}\ny = {op}(x, axes{attrs})\nreturn y"


def test_ignores_constant_axes():
    assert_ignores(NAME, source("float32[2,3]", "const(int32, [0, 1])"))


@pytest.mark.parametrize(
    ("x", "axes"),
    [
        ("float32[2,3]", "input(int32[1])"),
        ("float32[2,3]", "input(int32[?])"),
        ("float32[2,3]", "input(int32[])"),
        ("float32[*]", "input(int32[2])"),
    ],
)
def test_declines(x, axes):
    assert_declines(NAME, source(x, axes), "leave an axis out")


def test_declines_effect():
    text = "x = input(float32[2])\na = input(int32[1])\ns = Print(a, a)\ny = Sum(x, s)\nreturn y"
    graph = parse(text)
    graph.nodes["s"].shapes = graph.nodes["a"].shapes
    assert "the axes are computed with an effect" in apply(graph, NAME)[NAME].declined


@pytest.mark.parametrize("op", ["Sum", "Prod", "Max", "Min", "Mean"])
def test_vector_with_one_axis(op):
    graph = parse(source("float32[?]", "input(int64[])", op, ", keep_dims=true"))
    assert apply(graph, NAME)[NAME].applied == 1
    after = source("float32[?]", "const(int64, [0])", op, ", keep_dims=true")
    assert canonical(graph) == canonical(parse(after))


def test_scalar_result_tells_that_all_axes_go():
    graph = parse(source("bool[2,3]", "input(int32[?])", "All"))
    graph.nodes["y"].shapes = (Shape(()),)
    assert apply(graph, NAME)[NAME].applied == 1
    assert canonical(graph) == canonical(parse(source("bool[2,3]", "const(int32, [0, 1])", "All")))


def test_scalar_that_keeps_its_dimensions_tells_nothing():
    graph = parse(source("bool[2]", "input(int32[?])", "All", ", keep_dims=true"))
    graph.nodes["y"].shapes = (Shape(()),)
    assert apply(graph, NAME)[NAME].applied == 0


def test_as_many_axes_as_dimensions():
    text = """
        x = input(float32[?,4])
        axes = input(int32[2])
        y = Sum(x, axes)
        return y
        """
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = {"x:0": np.ones((3, 4), np.float32), "axes:0": np.array([1, -2], np.int32)}
    assert run(graph, feeds)["y:0"] == run(parse(text), feeds)["y:0"] == 12
