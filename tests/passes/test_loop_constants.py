import numpy as np
import pytest

from tests.harness import run, run_pipeline
from tests.passes.graphs import apply_pass, assert_answers, built
from tfpare.ir.graph import Graph

INTO, OUT = "move_constants_into_loops", "move_constants_out_of_loops"
FEEDS = [{"n:0": np.int32(k), "x:0": np.array([1, -2], np.float32)} for k in (0, 1, 4)]


def inputs(tf1):
    return tf1.placeholder("int32", [], "n"), tf1.placeholder("float32", [2], "x")


def basic(tf1):
    """Constants from outside and inside, computed with each other in the loop."""
    n, x = inputs(tf1)
    scale, shift = tf1.constant([2.0, 3.0]), tf1.constant([0.5, 0.25])
    half = [0.5, 0.125]
    return tf1.while_loop(
        lambda i, v: i < n, lambda i, v: (i + 1, v * (tf1.tanh(scale) * half) + tf1.exp(shift)), [0, x]
    )


def nested(tf1):
    n, x = inputs(tf1)
    scale = tf1.constant([1.5, 0.5])

    def outer(i, v):
        _, w = tf1.while_loop(lambda j, w: j < i, lambda j, w: (j + 1, w * tf1.sqrt(scale) + 0.25), [0, v])
        return i + 1, w - scale

    return tf1.while_loop(lambda i, v: i < n, outer, [0, x])


def branch_in_loop(tf1):
    """A constant that only one branch of each iteration reads."""
    n, x = inputs(tf1)
    c = tf1.constant([0.5, 2.0])

    def step(i, v):
        return i + 1, tf1.cond(i % 2 < 1, lambda: v * [3.0, 4.0] + c, lambda: tf1.constant([1.0, -1.0]))

    return tf1.while_loop(lambda i, v: i < n, step, [0, x])


def constant_state(tf1):
    """The next iteration gets a constant: were it always alive, the loop would never end."""
    n, x = inputs(tf1)
    return tf1.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, tf1.constant([7.0, 8.0])), [0, x])


def loop_in_branch(tf1):
    n, x = inputs(tf1)
    c = tf1.constant([0.5, 2.0])

    def loop():
        return tf1.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, v * tf1.tanh(c) + [1.0, 2.0]), [0, x])[1]

    return tf1.cond(n > 1, loop, lambda: x)


MODELS = (basic, nested, branch_in_loop, constant_state, loop_in_branch)


def inside(graph: Graph) -> list[str]:
    """The constants that are made in each iteration."""
    return [n.name for n in graph if n.op == "Const" and n.controls]


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize("names", [(INTO,), (OUT,), (INTO, OUT), (OUT, OUT), (INTO, "fold_constants", OUT)])
def test_answers_stay(build, names):
    graph = built(build)
    for name in names:
        apply_pass(name, graph)
    assert_answers(graph, built(build), *FEEDS)


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize("preset", ["exact", "fast"])
def test_pipeline_answers_stay(build, preset):
    graph = run_pipeline(built(build), preset)
    for feed in FEEDS:
        before, after = run(built(build), feed), run(graph, feed)
        for key in before:
            np.testing.assert_allclose(before[key], after[key], rtol=1e-6)


def test_what_constants_make_is_folded_and_made_once():
    graph = run_pipeline(built(basic))
    assert not {"Tanh", "Exp"} & {n.op for n in graph}
    assert inside(graph) == []
    entered = [n for n in graph if n.op == "Enter" and n["is_constant"]]
    assert all(n.inputs[0].node.op in ("Const", "Placeholder") for n in entered)


def test_constants_of_the_inner_loop_leave_both():
    graph = run_pipeline(built(nested))
    assert "Sqrt" not in {n.op for n in graph}
    (counter,) = inside(graph)  # where the inner loop begins to count: it changes, so it is no constant of the loop
    assert graph.nodes[counter].attrs["value"] == 0


def test_each_constant_is_stored_once():
    graph = built(basic)
    apply_pass(INTO, graph)
    apply_pass(OUT, graph)
    apply_pass("merge_duplicates", graph)
    arrays = [n.attrs["value"].tobytes() for n in graph if n.op == "Const"]
    assert len(arrays) == len(set(arrays))


def test_a_constant_that_ends_the_loop_stays():
    result = apply_pass(OUT, built(constant_state))
    assert any("NextIteration" in reason for reason in result.declined)


def test_loops_in_branches_stay_as_they_are():
    graph = built(loop_in_branch)
    assert apply_pass(INTO, graph).applied == 0
    assert "the loop lies in a branch" in apply_pass(OUT, graph).declined


def test_fed_constants_stay():
    graph = built(basic)
    enter = next(n for n in graph if n.op == "Enter" and n["is_constant"] and n.inputs[0].constant is not None)
    count = apply_pass(INTO, built(basic)).applied
    graph.fed.add(enter.inputs[0])
    assert apply_pass(INTO, graph).applied == count - 1
    graph = built(basic)
    const = next(n for n in graph if n.op == "Const" and n.controls)
    graph.fed.add(const.out())
    apply_pass(OUT, graph)
    assert const.name in graph.nodes


def test_control_edges_from_a_constant_stay_in_the_loop():
    def build(tf1):
        n, x = inputs(tf1)

        def step(i, v):
            c = tf1.constant([2.0, 3.0])
            with tf1.control_dependencies([c.op]):
                return i + 1, tf1.identity(v) * c

        return tf1.while_loop(lambda i, v: i < n, step, [0, x])

    graph = built(build)
    assert apply_pass(OUT, graph).applied > 0
    assert_answers(graph, built(build), *FEEDS)


def test_graphs_without_loops_do_not_change():
    graph = built(lambda tf1: tf1.placeholder("float32", [2], "x") * [1.0, 2.0])
    assert apply_pass(INTO, graph).applied == apply_pass(OUT, graph).applied == 0
