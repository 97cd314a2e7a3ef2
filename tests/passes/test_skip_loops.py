import numpy as np
import pytest

from tests.harness import parse, run_pipeline
from tests.passes.graphs import apply_pass, assert_answers, body, built, model_of, ops
from tfpare.ir.graph import Graph
from tfpare.ir.types import Func

NAME = "skip_loops"
X = {"x:0": np.array([1, -2], np.float32)}


def loop(limit: int, start: int = 3):
    def build(tf1):
        x, last = tf1.placeholder("float32", [2], "x"), tf1.constant(limit)
        return tf1.while_loop(lambda i, v: tf1.logical_and(i < last, i >= 0), lambda i, v: (i + 1, v * 2.0), [start, x])

    return build


@pytest.mark.parametrize("limit", [3, 0, -1])
def test_loop_that_never_runs(limit):
    graph = built(loop(limit))
    assert apply_pass(NAME, graph).applied == 1
    assert set(ops(graph)) <= {"Const", "Identity", "Placeholder"}
    assert_answers(graph, built(loop(limit)), X)


def test_loop_that_runs_stays():
    graph = built(loop(4))
    result = apply_pass(NAME, graph)
    assert result.applied == 0
    assert any("false at first" in r for r in result.declined)


def test_limit_that_is_fed_stays():
    graph = built(loop(0))
    const = next(n for n in graph if n.op == "Const" and not n.controls and n.attrs["value"].tolist() == 0)
    graph.fed.add(const.out())
    assert apply_pass(NAME, graph).applied == 0


def test_inner_loop_that_runs_in_later_iterations_stays():
    """At the start the inner limit is 0; the outer loop changes it."""

    def build(tf1):
        x = tf1.placeholder("float32", [2], "x")

        def outer(i, v):
            return i + 1, tf1.while_loop(lambda j, w: j < i, lambda j, w: (j + 1, w * 2.0), [0, v])[1]

        return tf1.while_loop(lambda i, v: i < 3, outer, [0, x])

    graph = built(build)
    assert apply_pass(NAME, graph).applied == 0
    assert_answers(run_pipeline(built(build), "exact"), built(build), X)


def test_inner_loop_that_never_runs():
    def build(tf1):
        x = tf1.placeholder("float32", [2], "x")

        def outer(i, v):
            return i + 1, tf1.while_loop(lambda j, w: j < 5, lambda j, w: (j + 1, w * 2.0), [7, v])[1] + 1.0

        return tf1.while_loop(lambda i, v: i < 3, outer, [0, x])

    graph = built(build)
    assert apply_pass(NAME, graph).applied == 1
    assert "Mul" not in ops(graph)
    assert_answers(graph, built(build), X)


def test_condition_with_an_effect_stays():
    def build(tf1):
        x = tf1.placeholder("float32", [2], "x")
        return tf1.while_loop(lambda i, v: tf1.Print(i, [i]) < 1, lambda i, v: (i + 1, v * 2.0), [tf1.constant(3), x])

    result = apply_pass(NAME, built(build))
    assert result.applied == 0


def test_condition_that_prints_beside_stays():
    def build(tf1):
        x = tf1.placeholder("float32", [2], "x")

        def cond(i, v):
            tf1.Print(v, [v])
            return i < 1

        return tf1.while_loop(cond, lambda i, v: (i + 1, v * 2.0), [tf1.constant(3), x])

    graph = built(build)
    result = apply_pass(NAME, graph)
    assert result.applied == 0
    assert any("has an effect" in r for r in result.declined)


COND = "i = input(int32)\nv = input(float32[2])\nc = const(int32, 4)\ny = Less(i, c)\nreturn y"


def functional(start: str, cond: str = COND):
    graph = parse(f"i = {start}\nx = input(float32[2])\nr = Relu(x)\nreturn r")
    loop_body = body("body", "i = input(int32)\nv = input(float32[2])\nj = Neg(i)\nw = Exp(v)\nreturn j, w")
    types = (graph.nodes["i"].dtypes[0], graph.nodes["x"].dtypes[0])
    attrs = {"cond": Func("cond"), "body": Func("body"), "T": types, "output_shapes": (), "parallel_iterations": 10}
    inputs = [graph.nodes["i"].out(), graph.nodes["r"].out()]
    node = graph.add("StatelessWhile", inputs, attrs, name="loop", dtypes=types)
    graph.outputs = {"y:0": node.out(1)}
    return graph, model_of(graph, body("cond", cond), loop_body)


def test_functional_loop_that_never_runs():
    graph, model = functional("const(int32, 4)")
    assert apply_pass(NAME, model).applied == 1
    assert ops(graph) == ["Identity", "Placeholder", "Relu"]


@pytest.mark.parametrize("start", ["const(int32, 3)", "input(int32)"])
def test_functional_loop_that_may_run_stays(start):
    graph, model = functional(start)
    assert apply_pass(NAME, model).applied == 0
    assert "StatelessWhile" in ops(graph)


def test_functional_loop_whose_condition_prints_stays():
    cond = "i = input(int32)\nv = input(float32[2])\ns = Print(v, v)\nc = const(int32, 4)\ny = Less(i, c)\nreturn y"
    _, model = functional("const(int32, 4)", cond)
    printing = model.library.graph("cond")
    printing.keep[printing.nodes["s"]] = None
    result = apply_pass(NAME, model)
    assert any("has an effect" in r for r in result.declined)


def test_who_waits_for_the_loop_waits_for_what_it_waited_for():
    graph, model = functional("const(int32, 4)")
    x = graph.nodes["x"].out()
    shown = graph.add("Print", [x, x], {"T": x.dtype, "U": (x.dtype,)}, name="shown")
    graph.set_controls(graph.nodes["loop"], [shown])
    graph.keep[graph.nodes["loop"]] = None
    apply_pass(NAME, model)
    assert shown in graph.keep
    assert graph.outputs["y:0"].node.controls == (shown,)


def test_graph_without_loops():
    graph: Graph = parse("x = input(float32[2])\ny = Relu(x)\nreturn y")
    assert apply_pass(NAME, graph).applied == 0
