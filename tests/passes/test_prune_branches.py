import numpy as np
import pytest

from tests.harness import parse, run_pipeline
from tests.passes.graphs import apply_pass, assert_answers, body, built, model_of, ops

NAME = "prune_branches"
X = {"x:0": np.array([1, -2], np.float32)}
COND = """
    p = {p}
    x = input(float32[2])
    f, t = Switch(x, p)
    a = Neg(f)
    b = Exp(t)
    m, k = Merge(a, b)
    y = Abs(m)
    return y, k
    """


@pytest.mark.parametrize(("truth", "left"), [("True", "Exp"), ("False", "Neg")])
def test_constant_condition(truth, left):
    source = COND.format(p=f"const(bool, {truth})")
    graph = parse(source)
    apply_pass(NAME, graph)
    assert ops(graph) == sorted(["Abs", "Const", left, "Placeholder"])
    assert_answers(graph, parse(source), X)


def test_fed_condition_stays():
    graph = parse(COND.format(p="const(bool, True)"))
    graph.fed.add(graph.nodes["p"].out())
    result = apply_pass(NAME, graph)
    assert result.applied == 0
    assert "the predicate is not constant" in result.declined
    assert_answers(graph, parse(COND.format(p="const(bool, True)")), *({**X, "p:0": np.array(p)} for p in (True,)))


def test_computed_condition_stays():
    source = COND.format(p="input(bool)")
    assert "the predicate is not constant" in apply_pass(NAME, parse(source)).declined


@pytest.mark.parametrize("outer", [True, False])
def test_constant_condition_in_a_branch_stays_in_it(outer):
    """What the inner Switch passes on may come from outside: only the predicate waits for the outer branch."""
    source = """
        p = input(bool)
        x = input(float32[2])
        f, t = Switch(p, p)
        pivot = Identity(t)
        inner = const(bool, True, ^pivot)
        c = const(float32, [5, 6])
        cf, ct = Switch(c, inner)
        b = Neg(ct)
        of, ot = Switch(x, p)
        m = Merge(of, b)
        return m
        """.replace("const(bool, True, ^pivot)", "const(bool, True)")
    graph, original = parse(source), parse(source)
    for one in (graph, original):
        one.set_controls(one.nodes["inner"], [one.nodes["pivot"]])
    apply_pass(NAME, graph)
    assert "Switch" in ops(graph)
    assert_answers(graph, original, {**X, "p:0": np.array(outer)})


def test_who_waits_for_the_taken_side_waits_for_the_input():
    source = """
        p = const(bool, True)
        x = input(float32[2])
        e = Print(x, x)
        f, t = Switch(e, p)
        a = Neg(x, ^f)
        return a, t
        """
    graph = parse(source)
    apply_pass(NAME, graph)
    assert graph.nodes["a"].controls == (graph.nodes["e"],)


MERGE = """
    p = input(bool)
    x = input(float32[2])
    c = const(float32, [5, 6])
    f, t = Switch(x, p)
    a = Neg({a})
    m, k = Merge({order})
    y = Abs(m)
    return y, k
    """


@pytest.mark.parametrize(("order", "position"), [("a, c", 1), ("c, a", 0)])
def test_merge_takes_a_constant_that_is_always_there(order, position):
    source = MERGE.format(a="t", order=order)
    graph = parse(source)
    assert apply_pass(NAME, graph).applied == 1
    assert ops(graph) == ["Abs", "Const", "Const"] + ["Placeholder"] * 2
    # Whatever TensorFlow sees first wins where both are alive; where the branch is dead only the constant is.
    assert_answers(graph, parse(source), {**X, "p:0": np.array(False)})
    assert graph.outputs["k:0"].constant == position


@pytest.mark.parametrize("how", ["waits", "fed constant", "fed merge"])
def test_merge_stays(how):
    graph = parse(MERGE.format(a="t", order="a, c"))
    if how == "waits":
        pivot = graph.add("Identity", [graph.nodes["f"].out(0)], {"T": graph.nodes["x"].dtypes[0]}, name="pivot")
        graph.set_controls(graph.nodes["c"], [pivot])
    else:
        graph.fed.add(graph.nodes["c" if how == "fed constant" else "m"].out())
    assert apply_pass(NAME, graph).applied == 0


def case(index: str) -> str:
    return f"k = {index}\nx = input(float32[2])\ny = Case(k, x, branches=[], Tout=[float32])\nreturn y"


@pytest.mark.parametrize(("index", "expected"), [(0, "Neg"), (1, "Exp"), (2, "Tanh"), (-1, "Tanh"), (7, "Tanh")])
@pytest.mark.parametrize("op", ["Case", "StatelessCase"])
def test_case_with_constant_index_is_its_branch(index, expected, op):
    from tfpare.ir.types import Func

    graph = parse(f"k = const(int32, {index})\nx = input(float32[2])\nr = Relu(x)\nreturn r")
    names, t = ("Neg", "Exp", "Tanh"), graph.nodes["x"].dtypes[0]
    branches = [body(name, f"x = input(float32[2])\ny = {name}(x)\nreturn y") for name in names]
    attrs = {"branches": tuple(Func(n) for n in names), "Tin": (t,), "Tout": (t,), "output_shapes": ()}
    node = graph.add(op, [graph.nodes["k"].out(), graph.nodes["r"].out()], attrs, name="case", dtypes=(t,))
    graph.outputs = {"y:0": node.out()}
    assert apply_pass(NAME, model_of(graph, *branches)).applied == 1
    assert expected in ops(graph)
    assert op not in ops(graph)


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [("bool, True", "Neg"), ("bool, False", "Exp"), ("int32, 3", "Neg"), ("float32, 0", "Exp"), ("int32, [0]", "Neg"),
     ("float32, []", "Exp")],
)  # fmt: skip
def test_if_with_constant_predicate_is_its_branch(predicate, expected):
    from tfpare.ir.types import Func

    graph = parse(f"p = const({predicate})\nx = input(float32[2])\nr = Relu(x)\nreturn r")
    t = graph.nodes["x"].dtypes[0]
    branches = [body(name, f"x = input(float32[2])\ny = {name}(x)\nreturn y") for name in ("Neg", "Exp")]
    attrs = {"then_branch": Func("Neg"), "else_branch": Func("Exp"), "Tcond": graph.nodes["p"].dtypes[0]}
    attrs |= {"Tin": (t,), "Tout": (t,)}
    node = graph.add("If", [graph.nodes["p"].out(), graph.nodes["r"].out()], attrs, name="if", dtypes=(t,))
    graph.outputs = {"y:0": node.out()}
    apply_pass(NAME, model_of(graph, *branches))
    assert expected in ops(graph)
    assert "If" not in ops(graph)


@pytest.mark.parametrize("truth", [True, False])
def test_dead_branches_of_tensorflow(truth):
    def build(tf1):
        x = tf1.placeholder("float32", [2], "x")
        q = tf1.placeholder("bool", [], "q")
        p = tf1.constant(truth)
        return tf1.cond(q, lambda: tf1.cond(p, lambda: x + 1.0, lambda: x * 2.0), lambda: x - 3.0)

    graph = run_pipeline(built(build), "exact")
    assert ("Mul" if truth else "AddV2") not in ops(graph)
    assert_answers(graph, built(build), *({**X, "q:0": np.array(q)} for q in (True, False)))
