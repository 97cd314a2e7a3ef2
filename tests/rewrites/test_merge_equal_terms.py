import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run

NAME = "merge_equal_terms"


def test_ignores_two_values_and_one():
    assert_ignores(NAME, "x = input(float32[2])\nz = input(float32[2])\ny = AddN(x, z, x)\nreturn y")
    assert_ignores(NAME, "x = input(float32[2])\ny = AddN(x)\nreturn y")


def test_declines_complex():
    assert_declines(NAME, "x = input(complex64[2])\ny = AddN(x, x)\nreturn y", "no real numbers")


def test_small_integers_wrap_around_alike():
    text = f"x = input(uint8[5])\ny = AddN({', '.join(['x'] * 300)})\nreturn y"
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = {"x:0": np.array([0, 1, 7, 200, 255], np.uint8)}
    np.testing.assert_array_equal(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"])


@pytest.mark.parametrize("type_", ["float16", "float32", "float64"])
def test_infinities_and_nan(type_):
    text = f"x = input({type_}[5])\ny = AddN(x, x, x)\nreturn y"
    graph = parse(text)
    apply(graph, NAME)
    feeds = {"x:0": np.array([np.inf, -np.inf, np.nan, -0.0, 3], type_)}
    np.testing.assert_array_equal(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"])
