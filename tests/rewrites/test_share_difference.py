"""What share_difference declines and does not match."""

import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse

NAME = "share_difference"
SOURCE = "a = input({dtype}[4])\nb = input({dtype}[4])\nd = Sub({d})\ny = Neg(d)\ns = SquaredDifference(a, b)\n"
END = "z = Neg(s)\nreturn y, z"


def test_declines_complex_numbers():
    assert_declines(NAME, SOURCE.format(dtype="complex64", d="a, b") + END, "are conjugate")


@pytest.mark.parametrize("d", ["a, a", "b, b"])
def test_ignores_another_difference(d):
    assert_ignores(NAME, SOURCE.format(dtype="float32", d=d) + END)


def test_ignores_a_square_alone():
    assert_ignores(NAME, "a = input(float32[4])\nb = input(float32[4])\ns = SquaredDifference(a, b)\nreturn s")


def test_declines_a_difference_that_waits():
    graph = parse(SOURCE.format(dtype="float32", d="a, b") + END)
    nodes = {n.name: n for n in graph}
    graph.set_controls(nodes["d"], [graph.add("NoOp", [], {}, name="late", controls=[nodes["s"]])])
    stats = apply(graph, NAME)[NAME]
    assert not stats.applied
    assert "the difference waits for other nodes" in stats.declined


@pytest.mark.parametrize("dtype", ["int32", "float16", "bfloat16", "float64"])
def test_the_difference_may_be_the_other_way_round(dtype):
    before = SOURCE.format(dtype=dtype, d="b, a") + END
    assert_rewrites(NAME, before, before.replace("SquaredDifference(a, b)", "Square(d)"))
