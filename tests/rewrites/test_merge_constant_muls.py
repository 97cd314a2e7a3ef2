import itertools

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run

NAME = "merge_constant_muls"
FORMS = ("Mul({e}, {c})", "Mul({c}, {e})", "RealDiv({e}, {c})", "Div({c}, {e})")


def source(inner: str, outer: str, type_: str = "float32", c: str = "4", d: str = "[0.5, 8]") -> str:
    lines = [f"x = input({type_}[?,2])", f"c = const({type_}, {c})", f"d = const({type_}, {d})"]
    lines += [f"a = {inner.format(e='x', c='c')}", f"y = {outer.format(e='a', c='d')}", "return y"]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "x = input(float32[2])\nc = const(float32[2])\ny = Mul(x, c)\nreturn y",
        "x = input(float32[2])\nc = const(float32)\na = AddV2(x, c)\ny = Mul(a, c)\nreturn y",
        source(FORMS[0], FORMS[0], "complex64"),
        source(FORMS[0], FORMS[2], "int32", d="2").replace("RealDiv", "Div"),
    ],
)
def test_ignores(text):
    assert_ignores(NAME, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (source(FORMS[0], FORMS[0]) + ", a", "another node needs the inner product"),
        (source(FORMS[0], FORMS[0], c="[[1], [2], [3]]"), "would be larger"),
        (source(FORMS[0], FORMS[0], c="0"), "0 or not finite"),
        (source(FORMS[2], FORMS[0], c="0"), "0 or not finite"),
        (source(FORMS[0], FORMS[0], c="inf"), "0 or not finite"),
        (source(FORMS[0], FORMS[0], c="1e30", d="1e30"), "range"),
        (source(FORMS[0], FORMS[0], c="1e-30", d="1e-30"), "range"),
        (source(FORMS[2], FORMS[2], "float16", c="1000", d="1000"), "range"),
    ],
)
def test_declines(text, reason):
    assert_declines(NAME, text, reason)


@pytest.mark.parametrize("type_", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize(("inner", "outer"), itertools.product(FORMS, FORMS))
def test_every_mix_of_products_and_quotients(inner, outer, type_):
    text = source(inner, outer, type_)
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    assert len(graph) == 3
    # Powers of two: no rounding, so a wrong inverse shows as a different number.
    feed = {"x:0": np.array([[1, 2], [0.25, -8]]).astype(graph.nodes["x"].dtypes[0].numpy)}
    np.testing.assert_array_equal(run(parse(text), feed)["y:0"], run(graph, feed)["y:0"])


def test_zero_and_infinite_inputs():
    text = source(FORMS[3], FORMS[2])
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feed = {"x:0": np.array([[0, -0.0], [np.inf, np.nan]], np.float32)}
    np.testing.assert_array_equal(run(parse(text), feed)["y:0"], run(graph, feed)["y:0"])
