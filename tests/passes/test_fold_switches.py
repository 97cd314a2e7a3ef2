import numpy as np
import pytest

from tests.harness import parse, run_pipeline
from tests.passes.graphs import apply_pass, assert_answers, built

NAME = "fold_switches"
FEEDS = [{"p:0": np.array(p), "x:0": np.array([1, -2], np.float32)} for p in (True, False)]

# The branch asks for its own predicate again, once at the Switch and once behind the Identity that marks the branch.
SOURCE = """
    p = input(bool)
    x = input(float32[2])
    own_f, own_t = Switch(p, p)
    pivot = Identity(own_t)
    f, t = Switch(x, p)
    inner_f, inner_t = Switch(t, {again})
    a = Neg(inner_f)
    b = Exp(inner_t)
    inner = Merge(a, b)
    m = Merge(f, inner)
    return m
    """


@pytest.mark.parametrize("again", ["own_t", "pivot"])
def test_branch_inside_the_branch_is_decided(again):
    source = SOURCE.format(again=again)
    graph = run_pipeline(parse(source))
    assert "Neg" not in {n.op for n in graph}
    assert "Exp" in {n.op for n in graph}
    assert_answers(graph, parse(source), *FEEDS)


@pytest.mark.parametrize("again", ["own_t", "pivot"])
def test_constant_waits_for_its_side(again):
    graph = parse(SOURCE.format(again=again))
    assert apply_pass(NAME, graph).applied == 1
    value = graph.nodes["inner_f"].inputs[1]
    value = value.node.inputs[0] if again == "pivot" else value
    assert value.constant
    (mark,) = value.node.controls
    assert mark.inputs == (graph.nodes["own_f"].out(1),)
    assert_answers(graph, parse(SOURCE.format(again=again)), *FEEDS)


def test_both_sides():
    source = """
        p = input(bool)
        f, t = Switch(p, p)
        a = LogicalNot(f)
        b = Identity(t)
        c = LogicalNot(b)
        m = Merge(a, c)
        return m
        """
    graph = parse(source)
    assert apply_pass(NAME, graph).applied == 2
    feeds = [{"p:0": np.array(p)} for p in (True, False)]
    assert_answers(graph, parse(source), *feeds)


def test_pivots_without_readers_of_their_value_stay():
    source = """
        p = input(bool)
        x = input(float32[2])
        f, t = Switch(p, p)
        pivot = Identity(t)
        xf, xt = Switch(x, p)
        c = const(float32[2])
        y = Mul(xt, c, ^pivot)
        m = Merge(xf, y)
        return m
        """
    graph = parse(source)
    assert apply_pass(NAME, graph).applied == 0


def test_other_switches_do_not_match():
    source = "p = input(bool)\nq = input(bool)\nf, t = Switch(p, q)\na = LogicalNot(t)\nm = Merge(f, a)\nreturn m"
    assert apply_pass(NAME, parse(source)).applied == 0


def test_fed_side_stays():
    graph = parse(SOURCE.format(again="own_t"))
    graph.fed.add(graph.nodes["own_f"].out(1))
    assert apply_pass(NAME, graph).applied == 0


CAPTURED = """
    p = input(bool)
    x = input(float32[2])
    {c}
    cf, ct = Switch(c, p)
    f, t = Switch(x, p)
    e = Exp(ct)
    y = Mul(t, e)
    m = Merge(f, y)
    return m{more}
    """


def test_a_constant_that_a_branch_reads_is_folded_there():
    source = CAPTURED.format(c="c = const(float32, [2, 3])", more="")
    graph = run_pipeline(parse(source), "exact")
    assert "Exp" not in {n.op for n in graph}
    assert_answers(graph, parse(source), *FEEDS)


def test_pivot_of_the_branch_is_used_where_there_is_one():
    graph = parse(CAPTURED.format(c="c = const(float32, [2, 3])\n    own_f, own_t = Switch(p, p)", more=""))
    graph.add("Identity", [graph.nodes["own_f"].out(1)], {"T": graph.nodes["p"].dtypes[0]}, name="pivot")
    assert apply_pass(NAME, graph).applied == 1
    assert graph.nodes["e"].inputs[0].node.controls == (graph.nodes["pivot"],)


@pytest.mark.parametrize("how", ["switch waits", "constant waits", "fed", "stored twice"])
def test_declines(how):
    large = how == "stored twice"
    c = "c = const(float32[2000,2])" if large else "c = const(float32, [2, 3])"
    graph = parse(CAPTURED.format(c=c, more=", c" if large else ""))
    if large:
        graph.add("Identity", [graph.nodes["c"].out()], {"T": graph.nodes["c"].dtypes[0]}, name="reader")
    elif how == "switch waits":
        graph.set_controls(graph.nodes["cf"], [graph.nodes["x"]])
    elif how == "constant waits":
        graph.set_controls(graph.nodes["c"], [graph.nodes["x"]])
    else:
        graph.fed.add(graph.nodes["c"].out())
    result = apply_pass(NAME, graph)
    assert result.applied == 0
    reason = {"switch waits": "waits for something", "constant waits": "waits for something", "stored twice": "twice"}
    assert any(reason.get(how, "") in r for r in result.declined) or how == "fed"


def test_branches_of_tensorflow():
    def build(tf1):
        p, x = tf1.placeholder("bool", [], "p"), tf1.placeholder("float32", [2], "x")
        return tf1.cond(p, lambda: tf1.cond(p, lambda: x + 1.0, lambda: x * 2.0), lambda: x * 3.0)

    assert_answers(run_pipeline(built(build), "exact"), built(build), *FEEDS)
