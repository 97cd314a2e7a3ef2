"""Which nodes are folded, under which names, and what the results wait for."""

import numpy as np
import pytest

from tests.harness import parse, run
from tests.passes.graphs import apply_pass, assert_answers, ops

NAME = "fold_constants"


def test_a_chain_becomes_one_constant_of_the_same_name():
    source = """
        a = const(float32, [1, 2])
        b = const(float32, [3, 4])
        c = AddV2(a, b)
        d = Mul(c, a)
        return d
        """
    graph = parse(source)
    apply_pass(NAME, graph)
    assert [n.name for n in graph] == ["d"]
    assert_answers(graph, parse(source), {})


def test_every_output_gets_its_constant():
    source = "a = const(float32, [3, 1, 2])\nk = const(int32, 2)\nv, i = TopKV2(a, k)\n"
    source += "x = input(float32[2])\ny = Mul(x, v)\nreturn y, i"
    graph = parse(source)
    apply_pass(NAME, graph)
    assert ops(graph) == ["Const", "Const", "Mul", "Placeholder"]
    assert_answers(graph, parse(source), {"x:0": np.array([1, 2], np.float32)})


@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_outputs(count):
    names = ", ".join(f"p{k}" for k in range(count))
    source = (
        f"axis = const(int32, 0)\na = const(int32[4,2])\n{names} = Split(axis, a, num_split={count})\nreturn {names}"
    )
    graph = parse(source)
    apply_pass(NAME, graph)
    assert set(ops(graph)) == {"Const"}
    assert_answers(graph, parse(source), {})


def test_outputs_that_nobody_reads_are_not_stored():
    graph = parse("axis = const(int32, 0)\na = const(int32[4,2])\np, q = Split(axis, a, num_split=2)\nreturn q")
    apply_pass(NAME, graph)
    assert ops(graph) == ["Const"]


def test_the_result_waits_once_for_what_its_parts_waited_for():
    source = """
        x = input(float32[2])
        e = Print(x, x)
        a = const(float32, [1, 2])
        b = const(float32, [3, 4])
        c = AddV2(a, b, ^e)
        d = Neg(c, ^e)
        return d
        """
    graph = parse(source)
    graph.set_controls(graph.nodes["a"], [graph.nodes["e"]])
    apply_pass(NAME, graph)
    assert graph.nodes["d"].op == "Const"
    assert graph.nodes["d"].controls == (graph.nodes["e"],)


def test_who_waited_for_a_folded_node_waits_for_what_it_waited_for():
    source = "x = input(float32[2])\ne = Print(x, x)\na = const(float32)\nb = Neg(a, ^e)\ny = Relu(x, ^b)\nreturn y"
    graph = parse(source)
    apply_pass(NAME, graph)
    (waits,) = graph.nodes["y"].controls
    assert waits is graph.nodes["e"] or waits.controls == (graph.nodes["e"],)


@pytest.mark.parametrize(
    ("x", "line", "expected"),
    [
        ("2,3", "Shape(x)", [2, 3]),
        ("2,3", "Size(x)", 6),
        ("?,3", "Rank(x)", 2),
        ("0,3", "Shape(x)", [0, 3]),
        ("", "Shape(x, out_type=int64)", []),
    ],
)
def test_static_shapes(x, line, expected):
    graph = parse(f"x = input(float32[{x}])\ny = {line}\nreturn y")
    apply_pass(NAME, graph)
    value = graph.outputs["y:0"].constant
    assert value is not None
    assert value.tolist() == expected


@pytest.mark.parametrize(("x", "line"), [("?,3", "Shape(x)"), ("?,3", "Size(x)"), ("*", "Rank(x)")])
def test_open_shapes_stay(x, line):
    graph = parse(f"x = input(float32[{x}])\ny = {line}\nreturn y")
    assert apply_pass(NAME, graph).applied == 0


def test_denormal_results_are_0_as_at_run_time():
    source = "a = const(float32, [1e-30, 1])\nb = const(float32, [1e-10, 1])\ny = Mul(a, b)\nreturn y"
    graph = parse(source)
    apply_pass(NAME, graph)
    value = graph.outputs["y:0"].constant
    assert value is not None
    assert value.tobytes() == run(parse(source), {})["y:0"].tobytes() == np.array([0, 1], np.float32).tobytes()


def test_emulated_quantization_of_constants():
    source = "k = const(float32[3,3])\nq = FakeQuantWithMinMaxArgs(k, min=-1, max=1)\n"
    source += "x = input(float32[?,3])\ny = MatMul(x, q)\nreturn y"
    graph = parse(source)
    apply_pass(NAME, graph)
    assert ops(graph) == ["Const", "MatMul", "Placeholder"]
    assert_answers(graph, parse(source), {"x:0": np.ones((2, 3), np.float32)})


def test_a_kernel_that_refuses_leaves_its_node():
    graph = parse("a = const(int32, [1, 2])\nb = const(int32, [0, 0])\ny = FloorDiv(a, b)\nreturn y")
    assert "the kernel refused" in apply_pass(NAME, graph).declined
    assert "FloorDiv" in ops(graph)


@pytest.mark.parametrize(
    ("a", "b"), [("[2, 3]", "[3]"), ("[2, 1]", "[1, 4]"), ("[5]", "[5]"), ("[1]", "[]"), ("[2, 1, 3]", "[3, 1]")]
)
def test_axes_of_a_broadcast_gradient(a, b):
    source = f"a = const(int32, {a})\nb = const(int32, {b})\nr, s = BroadcastGradientArgs(a, b)\nreturn r, s"
    graph = parse(source)
    assert apply_pass(NAME, graph).applied == 1
    assert_answers(graph, parse(source), {})
