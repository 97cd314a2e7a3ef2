import numpy as np
import pytest

from tests.harness import parse, run_pipeline
from tests.passes.graphs import apply_pass, assert_answers, ops

NAME = "separate_outputs"
BRANCH = """
    p = input(bool)
    x = input(float32[2])
    f, t = Switch(x, p)
    a, b = IdentityN({inputs})
    y = Neg(a)
    m = Merge(f, y)
    return m
    """


def test_constants_pass_through():
    source = """
        x = input(float32[2])
        c = const(float32, 2)
        a, b = IdentityN(x, c)
        e = Exp(b)
        y = Mul(a, e)
        return y, a, b
        """
    graph = run_pipeline(parse(source))
    assert ops(graph) == ["Const", "Const", "Mul", "Placeholder"]
    assert_answers(graph, parse(source), {"x:0": np.array([1, 2], np.float32)})


def test_an_output_that_nobody_reads_goes():
    graph = parse("x = input(float32[2])\nr = Relu(x)\ne = Exp(x)\na, b = IdentityN(r, e)\nreturn b")
    assert apply_pass(NAME, graph).applied == 1
    assert ops(graph) == ["Exp", "Identity", "Placeholder"]


def test_who_waits_for_it_waits_for_all_inputs():
    graph = parse("x = input(float32[2])\nr = Print(x, x)\na, b = IdentityN(x, r)\ny = Neg(x, ^a)\nreturn y")
    apply_pass(NAME, graph)
    assert len(graph.nodes["y"].controls) == 2


def test_what_it_waits_for_stays():
    graph = parse("x = input(float32[2])\ne = Print(x, x)\na, b = IdentityN(x, x, ^e)\ny = Neg(a)\nreturn y, b")
    apply_pass(NAME, graph)
    assert all(n.controls == (graph.nodes["e"],) for n in graph if n.op == "Identity")


def test_shapes_become_constants_one_by_one():
    source = "x = input(float32[2,3])\nz = input(float32[?])\na, b = ShapeN(x, z, out_type=int64)\nreturn a, b"
    graph = run_pipeline(parse(source))
    assert ops(graph) == ["Const", "Placeholder", "Placeholder", "Shape"]
    feeds = {"x:0": np.zeros((2, 3), np.float32), "z:0": np.zeros(5, np.float32)}
    assert_answers(graph, parse(source), feeds)


def test_declines_where_one_input_may_never_come():
    graph = parse(BRANCH.format(inputs="t, x"))
    assert "one of its inputs may never come" in apply_pass(NAME, graph).declined


def test_one_input_is_taken_anywhere():
    graph = parse(BRANCH.format(inputs="t").replace("a, b", "a"))
    assert apply_pass(NAME, graph).applied == 1
    feeds = [{"p:0": p, "x:0": np.array([1, 2], np.float32)} for p in (True, False)]
    assert_answers(graph, parse(BRANCH.format(inputs="t").replace("a, b", "a")), *feeds)


@pytest.mark.parametrize("port", [0, 1])
def test_declines_fed_output(port):
    graph = parse("x = input(float32[2])\na, b = IdentityN(x, x)\ny = Mul(a, b)\nreturn y")
    graph.fed.add(graph.nodes["a"].out(port))
    assert "a caller feeds an output" in apply_pass(NAME, graph).declined
