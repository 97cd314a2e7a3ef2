import numpy as np
import tensorflow as tf

from tests.harness import assert_same, parse, random_feeds, run, run_pipeline
from tfpare.compat import TransformGraph
from tfpare.engine.rule import Effect

BRANCH = """
p = input(bool)
x = input(float32[2,7])
n = Shape(x)
minus = Neg(n)
f, t = Switch(x, p)
f2, t2 = Switch(minus, p)
s = Shape(t)
m = Merge(f2, s)
return m
"""


def test_a_shape_in_a_branch_stays_in_its_branch():
    for value in (True, False):
        graph, original = parse(BRANCH), parse(BRANCH)
        feeds = {**random_feeds(original), "p:0": np.array(value)}
        run_pipeline(graph)
        assert_same(run(original, feeds), run(graph, feeds), Effect.EXACT)


def test_folds_whole_subgraphs_of_constants():
    graph = run_pipeline(
        parse(
            """
            a = const(float32[3])
            b = const(float32[3])
            c = AddV2(a, b)
            d = Rsqrt(c)
            x = input(float32[?,3])
            y = Maximum(x, d)
            return y
            """
        )
    )
    assert sorted(n.op for n in graph) == ["Const", "Maximum", "Placeholder"]


def test_never_runs_what_is_not_on_the_list():
    graph = run_pipeline(
        parse(
            """
            name = const(string, "/etc/hostname")
            text = ReadFile(name)
            n = const(int32, [2])
            r = RandomUniform(n, dtype=float32)
            return text, r
            """
        )
    )
    assert {"ReadFile", "RandomUniform"} <= {n.op for n in graph}


def test_a_result_much_larger_than_its_inputs_is_not_stored():
    graph = run_pipeline(parse("d = const(int32, [1000,1000])\nv = const(float32, 2)\ny = BroadcastTo(v, d)\nreturn y"))
    assert any(n.op == "BroadcastTo" for n in graph)


def test_a_fed_constant_is_not_constant():
    graph = parse("a = const(float32[3])\nb = Neg(a)\nc = Exp(b)\nreturn c")
    graph.fed.add(graph.nodes["b"].out())
    run_pipeline(graph)
    assert {"Neg", "Exp"} <= {n.op for n in graph}
    feeds = {"b:0": np.array([1, 2, 3], np.float32)}
    np.testing.assert_allclose(run(graph, feeds)["c:0"], np.exp(feeds["b:0"]), rtol=1e-6)


def test_a_shape_keeps_the_effect_behind_its_value():
    with tf.Graph().as_default() as built:
        counter = tf.compat.v1.get_variable("counter", [2], initializer=tf.zeros_initializer(), use_resource=False)
        added = tf.compat.v1.assign_add(counter, [1.0, 1.0])
        tf.identity(tf.raw_ops.Shape(input=tf.identity(added)), name="y")
        init = tf.compat.v1.global_variables_initializer().name
    folded = TransformGraph(built.as_graph_def(), [], ["y", init], ["fold_constants"])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(folded, name="")
        session.run(init)
        assert session.run("y:0").tolist() == [2]
        assert session.run("counter:0").tolist() == [1, 1]


def test_rules_run_again_after_the_last_folding():
    source = """
x = input(float32[2,3,4])
s = Shape(x)
one = const(int32, [1])
end = const(int32, [3])
step = const(int32, [1])
tail = StridedSlice(s, one, end, step)
zero = const(int32, 0)
n = Prod(tail, zero)
rows = const(int32, -1)
target = Pack(rows, n)
r = Reshape(x, target)
again = Reshape(r, target)
y = Relu(again)
return y
"""
    once = run_pipeline(parse(source))
    twice = run_pipeline(run_pipeline(parse(source)))
    assert len(once) == len(twice) == 4
