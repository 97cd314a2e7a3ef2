import numpy as np
import pytest

from tests.harness import parse, run
from tests.passes.graphs import apply_pass, body, model_of, ops
from tfpare.errors import UnsupportedModel
from tfpare.ir.graph import Graph, Node
from tfpare.ir.types import Func, dtype

NAME = "inline_functions"
FLOAT = dtype("float32")
X = {"x:0": np.array([1, -2], np.float32)}


def call(graph: Graph, name: str, *inputs: str, outputs: int = 1, op: str = "PartitionedCall", func: str = "f") -> Node:
    values = [graph.nodes[i].out() for i in inputs]
    attrs = {"f": Func(func), "Tin": tuple(v.dtype for v in values), "Tout": (FLOAT,) * outputs}
    return graph.add(op, values, attrs, name=name, dtypes=(FLOAT,) * outputs)


def caller(*inputs: str, outputs: int = 1, op: str = "PartitionedCall") -> Graph:
    graph = parse("x = input(float32[2])\nr = Abs(x)\nreturn r")
    node = call(graph, "call", *(inputs or ("x",)), outputs=outputs, op=op)
    graph.outputs = {f"call:{k}": node.out(k) for k in range(outputs)}
    return graph


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall"])
def test_call_becomes_its_body(op):
    graph = caller(op=op)
    model = model_of(graph, body("f", "a = input(float32[2])\nc = const(float32, 2)\ny = Mul(a, c)\nreturn y"))
    assert apply_pass(NAME, model).applied == 1
    assert ops(graph) == ["Abs", "Const", "Mul", "Placeholder"]
    assert run(graph, X)["call:0"].tolist() == [2, -4]


def test_results_come_in_the_order_of_the_outputs():
    graph = caller("x", "r", outputs=3)
    source = "a = input(float32[2])\nb = input(float32[2])\ns = Sub(a, b)\nn = Neg(a)\nreturn n, s, b"
    assert apply_pass(NAME, model_of(graph, body("f", source))).applied == 1
    found = run(graph, X)
    assert [found[f"call:{k}"].tolist() for k in range(3)] == [[-1, 2], [0, -4], [1, 2]]


def test_an_argument_may_be_a_result():
    graph = caller("x", outputs=2)
    passing = body("f", "a = input(float32[2])\nreturn a")
    passing.outputs = {"first": passing.args[0].out(), "second": passing.args[0].out()}
    apply_pass(NAME, model_of(graph, passing))
    graph.sweep()
    assert ops(graph) == ["Placeholder"]


def test_function_without_arguments():
    graph = parse("x = input(float32[2])\nreturn x")
    node = graph.add("PartitionedCall", (), {"f": Func("f"), "Tin": (), "Tout": (FLOAT,)}, name="call", dtypes=(FLOAT,))
    graph.outputs = {"y:0": node.out()}
    apply_pass(NAME, model_of(graph, body("f", "c = const(float32, 7)\nreturn c")))
    assert run(graph, {})["y:0"] == 7


def test_nested_calls_and_two_calls_of_one_function():
    graph = caller()
    second = call(graph, "again", "call")
    graph.outputs = {"y:0": second.out()}
    outer = body("f", "a = input(float32[2])\nr = Neg(a)\nreturn r")
    inner = call(outer, "inner", "r", func="g")
    outer.outputs = {"y:0": inner.out()}
    model = model_of(graph, outer, body("g", "a = input(float32[2])\ny = Exp(a)\nreturn y"))
    assert apply_pass(NAME, model).applied == 3
    assert ops(graph).count("Exp") == 2
    np.testing.assert_allclose(run(graph, X)["y:0"], np.exp(-np.exp(-X["x:0"])), rtol=1e-6)


def test_effects_of_the_body_stay_ordered():
    graph = caller()
    graph.add("Print", [graph.nodes["x"].out()] * 2, {"T": FLOAT, "U": (FLOAT,)}, name="before")
    late = graph.add("Neg", [graph.nodes["x"].out()], {"T": FLOAT}, name="late", controls=[graph.nodes["call"]])
    graph.set_controls(graph.nodes["call"], [graph.nodes["before"]])
    graph.outputs["late:0"] = late.out()
    printing = body("f", "a = input(float32[2])\np = Print(a, a)\ny = Neg(a)\nreturn y")
    printing.keep[printing.nodes["p"]] = None
    apply_pass(NAME, model_of(graph, printing))
    shown = graph.nodes["call/p"]
    assert shown.controls == (graph.nodes["before"],)
    assert late.controls == (shown,)


def test_nodes_keep_their_device_or_get_the_callers():
    graph = caller()
    graph.nodes["call"].device = "/device:GPU:0"
    source = body("f", "a = input(float32[2])\ne = Exp(a)\ny = Neg(e)\nreturn y")
    source.nodes["e"].device = "/device:CPU:0"
    apply_pass(NAME, model_of(graph, source))
    assert graph.nodes["call/e"].device == "/device:CPU:0"
    assert graph.nodes["call/y"].device == "/device:GPU:0"


def test_pinned_calls_stay():
    graph = caller()
    graph.pinned.add(graph.nodes["call"])
    assert apply_pass(NAME, model_of(graph, body("f", "a = input(float32[2])\nreturn a"))).applied == 0


def test_a_function_that_calls_itself_is_refused():
    own = body("f", "a = input(float32[2])\nr = Neg(a)\nreturn r")
    own.outputs = {"y:0": call(own, "inner", "r").out()}
    with pytest.raises(UnsupportedModel, match="calls itself"):
        apply_pass(NAME, model_of(caller(), own))


def branch(graph: Graph, name: str, *inputs: str) -> Node:
    values = [graph.nodes[i].out() for i in inputs]
    attrs = {"then_branch": Func("f"), "else_branch": Func("g"), "Tcond": dtype("bool")}
    attrs |= {"Tin": tuple(v.dtype for v in values[1:]), "Tout": (FLOAT,)}
    return graph.add("StatelessIf", values, attrs, name=name, dtypes=(FLOAT,))


def test_each_branch_gets_its_own_copy_of_a_shared_body():
    graph = parse("p = input(bool)\nx = input(float32[2])\nreturn x")
    first, second = branch(graph, "first", "p", "x"), branch(graph, "second", "p", "x")
    graph.outputs = {"a:0": first.out(), "b:0": second.out()}
    source = "a = input(float32[2])\ny = {}(a)\nreturn y"
    apply_pass(NAME, model_of(graph, body("f", source.format("Exp")), body("g", source.format("Neg"))))
    names = [node.attrs[key].name for node in (first, second) for key in ("then_branch", "else_branch")]
    assert len(set(names)) == 4


def test_constants_go_into_branches_and_unused_arguments_go():
    graph = parse("p = input(bool)\nx = input(float32[2])\nc = const(float32, [2, 3])\nreturn x")
    node = branch(graph, "if", "p", "x", "c")
    graph.outputs = {"y:0": node.out()}
    head = "a = input(float32[2])\nc = input(float32[2])\n"
    then, other = body("f", f"{head}y = Mul(a, c)\nreturn y"), body("g", f"{head}y = Neg(c)\nreturn y")
    model = model_of(graph, then, other)
    assert apply_pass("push_constants", model).applied > 0
    assert [len(graph.nodes["if"].inputs), len(then.args), len(other.args)] == [2, 1, 1]
    assert "Const" in ops(then)
    assert "Const" in ops(other)


def test_fed_constants_stay_outside():
    graph = parse("p = input(bool)\nc = const(float32, [2, 3])\nreturn c")
    graph.outputs = {"y:0": branch(graph, "if", "p", "c").out()}
    graph.fed.add(graph.nodes["c"].out())
    source = "c = input(float32[2])\ny = {}(c)\nreturn y"
    model = model_of(graph, body("f", source.format("Exp")), body("g", source.format("Neg")))
    assert apply_pass("push_constants", model).applied == 0
