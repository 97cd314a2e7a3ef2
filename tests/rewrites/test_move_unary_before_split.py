import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, random_feeds, run, run_pipeline

NAME = "move_unary_before_split"


def source(functions: list[str], out: str = "p, q, r", after: str = "") -> str:
    lines = [f"{name} = {f}" for name, f in zip("pqr", functions, strict=False)]
    head = f"x = input(float32[?,6])\naxis = const(int32, 1)\na, b, c = Split(axis, x, num_split=3{after})\n"
    return "\n".join([head, *lines, f"return {out}"])


def test_all_parts_become_one_function():
    text = source(["Exp(a)", "Exp(b)", "Exp(c)"])
    graph = run_pipeline(parse(text))
    assert [n.op for n in graph].count("Exp") == [n.op for n in graph].count("Split") == 1
    feeds = random_feeds(parse(text))
    before, after = run(parse(text), feeds), run(graph, feeds)
    for key in before:
        np.testing.assert_allclose(before[key], after[key], rtol=1e-6)


def test_split_into_given_sizes():
    text = "x = input(int32[2,6])\nn = const(int32, [1, 5])\naxis = const(int32, 1)\n"
    text += "a, b = SplitV(x, n, axis, num_split=2)\np = Abs(a)\nq = Abs(b)\nreturn p, q"
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 2
    feeds = {"x:0": np.arange(-6, 6, dtype=np.int32).reshape(2, 6)}
    before, after = run(parse(text), feeds), run(graph, feeds)
    for key in before:
        np.testing.assert_array_equal(before[key], after[key])


@pytest.mark.parametrize(
    ("functions", "out"),
    [
        (["Exp(a)", "Exp(b)"], "p, q"),
        (["Exp(a)", "Exp(b)", "Tanh(c)"], "p, q, r"),
        (["Exp(a)", "Exp(b)", "Exp(c)\nt = AddV2(a, r)"], "p, q, t"),
    ],
)
def test_declines_parts_that_are_read_otherwise(functions, out):
    assert_declines(NAME, source(functions, out), "not every part")


def test_declines_a_split_that_waits():
    text = source(["Exp(a)", "Exp(b)", "Exp(c)"], after=", ^axis").replace("num_split=3, ^axis", "^w, num_split=3")
    assert_declines(NAME, f"w = const(float32)\n{text}", "waits for a control input")


def test_declines_functions_that_make_elements_larger():
    text = source([f"Cast({v}, DstT=float64)" for v in "abc"])
    assert_declines(NAME, text, "makes the elements larger")


def test_declines_floats_that_become_integers():
    assert_declines(NAME, source([f"Cast({v}, DstT=int32)" for v in "abc"]), "arbitrary integers")


def test_declines_another_device():
    graph = parse(source(["Exp(a)", "Exp(b)", "Exp(c)"]))
    for node in graph:
        node.device = "/device:CPU:0" if node.op == "Exp" else ""
    assert "the nodes are placed on different devices" in apply(graph, NAME)[NAME].declined


def test_ignores_other_sources():
    assert_ignores(NAME, "x = input(float32[2])\na = Relu(x)\ny = Exp(a)\nreturn y")
    assert_ignores(
        NAME, "axis = const(int32, 0)\nx = input(float32[2])\na = Split(axis, x, num_split=1)\ny = Exp(a)\nreturn y"
    )
