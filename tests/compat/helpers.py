"""What the tests of transforms share: graphs built in TensorFlow or written down, transforms, answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from tests.harness import parse
from tfpare.compat import driver
from tfpare.compat.graph_transforms import TransformGraph
from tfpare.compat.work import Work
from tfpare.io import graphdef


def build(make: Callable):
    """The GraphDef that a function builds with TensorFlow's graph mode (it gets `tf.compat.v1`)."""
    import tensorflow as tf

    v1, graph = tf.compat.v1, tf.Graph()
    is_functional = v1.control_flow_v2_enabled()
    try:
        with graph.as_default():
            make(v1)
    finally:
        (v1.enable_control_flow_v2 if is_functional else v1.disable_control_flow_v2)()
    return graph.as_graph_def()


def bare(*nodes: str):
    """A GraphDef of nodes without attributes, each written as `name Op input…`."""
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    for line in nodes:
        name, op, *inputs = line.split()
        graph_def.node.add(name=name, op=op, input=inputs)
    return graph_def


def transform(graph_def, inputs, outputs, *transforms):
    return TransformGraph(graph_def, inputs, outputs, list(transforms))


def notes(graph_def, inputs, outputs, *transforms):
    """What the user is told, as one text."""
    work = Work.from_graph_def(graph_def, inputs, outputs)
    driver.apply(work, transforms)
    return " ".join(work.notes)


def ops(graph_def) -> Counter:
    return Counter(n.op for n in graph_def.node)


def names(graph_def) -> list[str]:
    return [n.name for n in graph_def.node]


def node(graph_def, name: str):
    return next(n for n in graph_def.node if n.name == name)


def inputs_of(graph_def, name: str) -> list[str]:
    return [i.removesuffix(":0") for i in node(graph_def, name).input]


def run(graph_def, feeds: dict, *fetches: str) -> list:
    """What a Session answers, without Grappler; devices that this machine lacks are an error."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    tensors = [f if ":" in f else f"{f}:0" for f in fetches]
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run(tensors, {k if ":" in k else f"{k}:0": v for k, v in feeds.items()})


def assert_answers(before, after, feeds: dict, *fetches: str) -> None:
    """Both graphs give the same, bit for bit."""
    for one, other in zip(run(before, feeds, *fetches), run(after, feeds, *fetches), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def cond(v1):
    """A TF 1 conditional whose branches hold constants that control edges place: `x`, `p` → `output`."""
    v1.disable_control_flow_v2()
    x = v1.placeholder("float32", [4], name="x")
    p = v1.placeholder("bool", [], name="p")
    y = v1.cond(p, lambda: x * v1.constant(2.0), lambda: v1.constant([1.0, 2.0, 3.0, 4.0]))
    v1.add(y, 1.0, name="output")


def loop(v1):
    """A TF 1 while loop: `x` → `output`."""
    v1.disable_control_flow_v2()
    x = v1.placeholder("float32", [4], name="x")

    def body(i, y):
        return i + 1, v1.tanh(y * 2.0 + 0.5)

    y = v1.while_loop(lambda i, y: i < 3, body, [v1.constant(0), x])[1]
    v1.identity(y, name="output")


def called(v1, make_body: Callable | None = None):
    """A function that is called: `x` → `output`; the body is `relu(x · 3)` on some device unless given."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([4])])
    def function(x):
        if make_body is not None:
            return make_body(x)
        with tf.device("/device:GPU:3"):
            return tf.nn.relu(x * 3.0)

    x = v1.placeholder("float32", [4], name="x")
    v1.identity(function(x), name="output")


def written(source: str):
    """The GraphDef of a graph in the IR's text form."""
    from tensorflow.core.framework import graph_pb2

    graph = parse(source)
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = 8 if any(n.op == "BatchNormWithGlobalNormalization" for n in graph) else 134
    graphdef.write_nodes(graph, graph_def)
    return graph_def


def assert_close(before, after, feeds: dict, *fetches: str, tolerance: float = 2e-5) -> None:
    """Both graphs give the same up to rounding: `tolerance` is relative to the largest number."""
    for one, other in zip(run(before, feeds, *fetches), run(after, feeds, *fetches), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        a, b = one.astype(np.float64), other.astype(np.float64)
        assert np.abs(a - b).max(initial=0.0) <= tolerance * max(1.0, np.abs(a).max(initial=0.0))


def feeds_for(graph_def, seed: int = 0, unknown: int = 3) -> dict:
    """Reproducible numbers for every Placeholder."""
    rng, found = np.random.default_rng(seed), {}
    for one in graph_def.node:
        if one.op == "Placeholder":
            dims = [unknown if d.size < 0 else d.size for d in one.attr["shape"].shape.dim]
            found[one.name] = np.asarray(rng.normal(0, 1, dims)).astype(np.float32)
    return found


def worst_error(before, after, feeds: dict, fetch: str, feeds_after: dict | None = None) -> float:
    """How far the second graph's answer is from the first one's; it may be fed otherwise (in 8 bits)."""
    one, other = run(before, feeds, fetch)[0], run(after, feeds if feeds_after is None else feeds_after, fetch)[0]
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0))
