import itertools

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run

NAME = "merge_constant_adds"
FORMS = ("AddV2({e}, {c})", "Add({c}, {e})", "Sub({e}, {c})", "Sub({c}, {e})")


def source(inner: str, outer: str, type_: str = "float32", c: str = "3", d: str = "[5, 7]", x: str = "?,2") -> str:
    lines = [f"x = input({type_}[{x}])", f"c = const({type_}, {c})", f"d = const({type_}, {d})"]
    lines += [f"a = {inner.format(e='x', c='c')}", f"y = {outer.format(e='a', c='d')}", "return y"]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "x = input(float32[2])\nc = const(float32[2])\ny = AddV2(x, c)\nreturn y",
        "x = input(float32[2])\nz = input(float32[2])\nc = const(float32)\na = Add(x, z)\ny = Add(a, c)\nreturn y",
        "x = input(float32[2])\nc = const(float32)\na = Mul(x, c)\ny = Add(a, c)\nreturn y",
        source(FORMS[1], FORMS[1], "string", "b'c'", "b'd'"),  # joins
    ],
)
def test_ignores(text):
    assert_ignores(NAME, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (source(FORMS[0], FORMS[0]) + ", a", "another node needs the inner sum"),
        (source(FORMS[0], FORMS[0], c="[[1], [2], [3]]"), "would be larger"),
        (source(FORMS[0], FORMS[0], c="3e38", d="3e38"), "range"),
        (source(FORMS[0], FORMS[0], "float16", c="60000", d="60000"), "range"),
    ],
)
def test_declines(text, reason):
    assert_declines(NAME, text, reason)


@pytest.mark.parametrize("type_", ["float32", "float64", "int32", "uint8", "complex64", "bfloat16"])
@pytest.mark.parametrize(("inner", "outer"), itertools.product(FORMS, FORMS))
def test_every_mix_of_signs(inner, outer, type_):
    text = source(inner, outer, type_)
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    assert len(graph) == 3
    # Small whole numbers: no rounding, so a wrong sign or order shows as a different number.
    feed = {"x:0": np.arange(8).reshape(4, 2).astype(graph.nodes["x"].dtypes[0].numpy)}
    np.testing.assert_array_equal(run(parse(text), feed)["y:0"], run(graph, feed)["y:0"])


def test_fed_constant_is_none():
    graph = parse(source(FORMS[0], FORMS[0]))
    graph.fed.add(graph.nodes["c"].out())
    assert apply(graph, NAME)[NAME].applied == 0


def test_larger_outer_constant_keeps_the_shape():
    text = source(FORMS[0], FORMS[0], d="[[1, 2], [3, 4]]", x="2")
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    assert run(graph, {"x:0": np.ones(2, np.float32)})["y:0"].shape == (2, 2)
