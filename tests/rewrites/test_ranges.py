import pytest

from tests.harness import parse
from tfpare.engine.builder import Builder
from tfpare.rewrites.ranges import ANYTHING, range_of

INF = float("inf")


@pytest.mark.parametrize(
    ("lines", "low", "high"),
    [
        ("y = Tanh(x)", -1, 1),
        ("y = Relu6(x)", 0, 6),
        ("c = const(float32, [0.25, 2])\ns = Square(x)\ny = AddV2(s, c)", 0.25, INF),
        ("s = Sigmoid(x)\nr = Reshape(s, n)\ny = Mean(r, n)", 0, 1),
        ("a = Abs(x)\ny = Sum(a, n)", 0, INF),
        ("a = Abs(x)\nb = Exp(x)\ny = Mul(a, b)", 0, INF),
        ("c = const(float32, 3)\ny = Maximum(x, c)", 3, INF),
        ("c = const(float32, 3)\ny = Minimum(x, c)", -INF, 3),
        ("a = Tanh(x)\nb = Sigmoid(x)\ny = Minimum(a, b)", -1, 1),
        ("a = Tanh(x)\nb = Sigmoid(x)\ny = Add(a, b)", -1, 2),
    ],
)
def test_bounds(lines, low, high):
    assert _range(lines) == (low, high)


@pytest.mark.parametrize(
    "lines",
    [
        "y = Neg(x)",
        "a = Abs(x)\ny = Max(a, n)",
        "a = Tanh(x)\ny = Sum(a, n)",
        "a = Abs(x)\nb = Tanh(x)\ny = Mul(a, b)",
        "c = const(float32, nan)\ny = Identity(c)",
        "a = Abs(x)\ny = AddV2(a, x)",
    ],
)
def test_unknown(lines):
    assert _range(lines) == ANYTHING


def test_values_that_callers_feed_are_unknown():
    graph = parse("x = input(float32[4])\ny = Abs(x)\nz = Sqrt(y)\nreturn z")
    graph.fed.add(graph.nodes["y"].out())
    assert range_of(Builder(graph, graph.nodes["z"], "test"), graph.nodes["y"].out()) == ANYTHING


def _range(lines: str):
    graph = parse(f"x = input(float32[2])\nn = const(int32, [0])\n{lines}\nreturn y")
    return range_of(Builder(graph, graph.nodes["y"], "test"), graph.nodes["y"].out())
