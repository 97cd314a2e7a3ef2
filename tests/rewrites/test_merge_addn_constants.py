import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse

NAME = "merge_addn_constants"


@pytest.mark.parametrize("inputs", ["x", "x, c", "x, z", "x, c, z"])
def test_ignores(inputs):
    assert_ignores(NAME, f"x = input(int32[2])\nz = input(int32[2])\nc = const(int32[2])\ny = AddN({inputs})\nreturn y")


def test_ignores_fed_constant():
    graph = parse("x = input(float32[2])\nc = const(float32[2])\nd = const(float32[2])\ny = AddN(x, c, d)\nreturn y")
    graph.fed.add(graph.nodes["c"].out())
    assert apply(graph, NAME)[NAME].applied == 0


def test_declines_overflow():
    source = "x = input(float16[1])\nc = const(float16, [60000])\ny = AddN(c, x, c)\nreturn y"
    assert_declines(NAME, source, "range")


def test_integers_wrap_around():
    assert_rewrites(
        NAME,
        "x = input(int8[1])\nc = const(int8, [127])\nd = const(int8, [2])\ny = AddN(c, d, x, d)\nreturn y",
        "x = input(int8[1])\nc = const(int8, [-125])\ny = AddN(x, c)\nreturn y",
    )
