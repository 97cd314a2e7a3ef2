"""Shapes inside TF 1 loops: what stays the same is known, what changes is not."""

from tests.compat.helpers import build
from tfpare.compat.work import Work
from tfpare.runtime import infer_shapes


def shapes(make, *names):
    graph_def = build(make)
    output = graph_def.node[-1].name
    graph = Work.from_graph_def(graph_def, ["x"], [output]).model().graphs[0]
    infer_shapes(graph)
    return [str(graph.nodes[n].shapes[0]) for n in names]


def loop(v1, body, start, **options):
    v1.disable_control_flow_v2()
    return v1.while_loop(lambda i, *rest: i < 3, lambda i, *rest: (i + 1, *body(*rest)), [0, *start], **options)[1:]


def test_what_stays_the_same_is_known():
    def make(v1):
        x = v1.placeholder("float32", [None, 5], name="x")
        loop(v1, lambda y: (v1.tanh(y, name="inside"),), [x])

    assert shapes(make, "while/inside", "while/Exit_1") == ["[?,5]", "[?,5]"]


def test_what_grows_is_not():
    def make(v1):
        import tensorflow as tf

        x = v1.placeholder("float32", [2, 5], name="x")
        invariants = [tf.TensorShape([]), tf.TensorShape([None, 5])]
        loop(v1, lambda y: (v1.concat([y, y], 0, name="inside"),), [x], shape_invariants=invariants)

    assert shapes(make, "while/inside", "while/Exit_1") == ["[?,5]", "[?,5]"]


def test_a_value_that_depends_on_another_one():
    def make(v1):
        import tensorflow as tf

        x = v1.placeholder("float32", [2, 2], name="x")
        invariants = [tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None, None])]
        body = lambda y, z: (z, v1.concat([z, z], 0, name="inside"))  # noqa: E731 - a body
        loop(v1, body, [x, x], shape_invariants=invariants)

    assert shapes(make, "while/inside", "while/Exit_1") == ["[?,2]", "[?,2]"]


def test_loops_inside_loops():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [4, 5], name="x")

        def inner(y):
            return v1.while_loop(
                lambda j, z: j < 2, lambda j, z: (j + 1, v1.tanh(z, name="deep")), [0, y], name="inner"
            )

        loop(v1, lambda y: (inner(y)[1],), [x])

    assert shapes(make, "while/inner/deep") == ["[4,5]"]


def test_what_enters_need_not_fit_the_body():
    """The loop never runs then; TensorFlow accepts the graph, so that we have to."""

    def make(v1):
        import tensorflow as tf

        x = v1.placeholder("float32", [1, 3], name="x")
        invariants = [tf.TensorShape([]), tf.TensorShape(None)]
        weight = v1.ones([4, 4])
        loop(v1, lambda y: (v1.matmul(y, weight, name="inside"),), [x], shape_invariants=invariants)

    assert shapes(make, "while/inside") == ["[*]"]
