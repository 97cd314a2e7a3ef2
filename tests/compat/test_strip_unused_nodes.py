import numpy as np
import pytest

from tests.compat.helpers import assert_answers, bare, build, called, names, node, notes, ops, run, transform
from tfpare.errors import UsageError

IMAGE = np.random.default_rng(0).normal(size=(1, 4, 5, 3)).astype(np.float32)


def shape_of(graph_def, name):
    proto = node(graph_def, name).attr["shape"].shape
    return None if proto.unknown_rank else [d.size for d in proto.dim]


def type_of(graph_def, name):
    import tensorflow as tf

    return tf.dtypes.as_dtype(node(graph_def, name).attr["dtype"].type).name


def decoded(v1):
    raw = v1.placeholder("string", [], name="raw")
    image = v1.expand_dims(v1.cast(v1.image.decode_jpeg(raw, channels=3), "float32"), 0, name="batched")
    v1.nn.conv2d(image, v1.constant(np.ones((2, 2, 3, 1), np.float32)), [1, 1, 1, 1], "SAME", name="output")


# the original's own tests


def test_unused_node_goes():
    graph = bare("a Const", "b Const", "c Const", "add Add a b")
    assert names(transform(graph, [], ["add"], "strip_unused_nodes")) == ["a", "b", "add"]


def test_common_ancestors_stay_and_so_does_an_input_that_nobody_reads():
    graph = bare(
        *("c1 Const", "c2 Const", "c3 Const", "add2 Add c1 c2", "add3 Add c1 c3", "add1 Add add2 add3"),
        *("add4 Add c1 c3", "dangling_input Const"),
    )
    result = transform(graph, ["dangling_input"], ["add1"], "strip_unused_nodes")
    assert names(result) == ["c1", "c2", "c3", "add2", "add3", "add1", "dangling_input"]
    assert node(result, "dangling_input").op == "Placeholder"


MULTIPLIED = ("b Const", "c Const", "a Const", "mul Mul b c", "add Add mul a")


def test_computed_input_becomes_a_placeholder():
    result = transform(bare(*MULTIPLIED), ["mul"], ["add"], "strip_unused_nodes")
    assert names(result) == ["a", "mul", "add"]
    assert node(result, "mul").op == "Placeholder"
    assert type_of(result, "mul") == "float32"
    assert shape_of(result, "mul") == []  # unknown, as a graph of version 0 says it


def test_type_and_shape_for_the_input():
    result = transform(bare(*MULTIPLIED), ["mul"], ["add"], 'strip_unused_nodes(type=int32, shape="1,2,3")')
    assert (type_of(result, "mul"), shape_of(result, "mul")) == ("int32", [1, 2, 3])


def test_type_and_shape_by_name():
    result = transform(
        bare(*MULTIPLIED),
        ["mul", "a:0"],
        ["add"],
        'strip_unused_nodes(name=mul, type_for_name=quint8, shape_for_name="1, 2, 3",'
        ' name=a, type_for_name=int64, shape_for_name="1,2")',
    )
    assert (type_of(result, "mul"), shape_of(result, "mul")) == ("quint8", [1, 2, 3])
    assert (type_of(result, "a"), shape_of(result, "a")) == ("int64", [1, 2])


# errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("strip_unused_nodes(type=floaty)", "no type 'floaty'"),
        ("strip_unused_nodes(type=float, type=int32)", "2 times"),
        ('strip_unused_nodes(shape="1,x")', "no list of numbers"),
        ('strip_unused_nodes(shape="")', "no list of numbers"),
        ("strip_unused_nodes(name=mul, type_for_name=float)", "belong together"),
        ('strip_unused_nodes(name=mull, type_for_name=float, shape_for_name="1")', "Did you mean 'mul:0'"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(UsageError, match=message):
        transform(bare(*MULTIPLIED), ["mul"], ["add"], call)


@pytest.mark.parametrize(("inputs", "outputs"), [(["mull"], ["add"]), (["mul"], ["adds"])])
def test_misspelt_names(inputs, outputs):
    with pytest.raises(UsageError, match="Did you mean"):
        transform(bare(*MULTIPLIED), inputs, outputs, "strip_unused_nodes")


# what the original gets wrong


def test_type_and_shape_of_the_cut_tensor_are_looked_up():
    before = build(decoded)
    after = transform(before, ["batched"], ["output"], "strip_unused_nodes")
    assert len(after.node) == 3
    assert shape_of(after, "batched") == [1, -1, -1, 3]
    assert after.versions.producer == before.versions.producer > 21
    assert_answers(before, after, {"batched": IMAGE}, "output")


def test_integers_stay_integers():
    def make(v1):
        words = v1.placeholder("string", [3], name="s")
        ids = v1.abs(v1.strings.length(words), name="ids")
        v1.gather(v1.constant(np.arange(12, dtype=np.float32).reshape(6, 2)), ids, name="output")

    before = build(make)
    after = transform(before, ["ids"], ["output"], "strip_unused_nodes")
    assert (type_of(after, "ids"), shape_of(after, "ids")) == ("int32", [3])
    assert_answers(before, after, {"ids": np.array([5, 0, 2], np.int32)}, "output")


def test_default_of_a_placeholder_stays():
    def make(v1):
        x = v1.placeholder("float32", [2], name="x")
        flag = v1.placeholder_with_default(False, [], name="flag")
        v1.where(flag, x, -x, name="output")

    before = build(make)
    after = transform(before, ["x", "flag"], ["output"], 'strip_unused_nodes(type=float, shape="2")')
    assert node(after, "flag").op == "PlaceholderWithDefault"
    feeds = {"x": np.ones(2, np.float32)}
    assert_answers(before, after, feeds, "output")
    assert_answers(before, after, {**feeds, "flag": np.array(True)}, "output")


def dequeued(v1):
    q = v1.FIFOQueue(5, ["float32", "int32"], [[2, 3], [3]]).dequeue(name="q")
    v1.add(q[0], v1.cast(q[1], "float32"), name="output")


def test_one_placeholder_for_each_output_of_an_input():
    before = build(dequeued)
    after = transform(before, ["q:0", "q:1"], ["output"], "strip_unused_nodes")
    assert ops(after) == {"Placeholder": 2, "IdentityN": 1, "Cast": 1, "AddV2": 1}
    assert type_of(after, "q/port_1") == "int32"
    feeds = {"q:0": np.ones((2, 3), np.float32), "q:1": np.array([1, 2, 3], np.int32)}
    assert_answers(before, after, feeds, "output")


def test_second_output_alone():
    before = build(dequeued)
    after = transform(before, ["q:1"], ["Cast"], "strip_unused_nodes(type=int32)")
    assert sorted(names(after)) == ["Cast", "q", "q/port_1"]
    assert_answers(before, after, {"q:1": np.array([1, 2, 3], np.int32)}, "Cast")


def test_first_output_alone_is_a_plain_placeholder():
    def make(v1):
        q = v1.FIFOQueue(5, ["float32", "int32"], [[2, 3], []]).dequeue(name="q")
        v1.exp(q[0], name="output")
        v1.identity(q[1], name="label")

    before = build(make)
    after = transform(before, ["q:0"], ["output"], 'strip_unused_nodes(type=float, shape="2,3")')
    assert names(after) == ["q", "output"]
    assert_answers(before, after, {"q:0": np.ones((2, 3), np.float32)}, "output")


def test_node_stays_while_another_output_of_it_is_needed():
    def make(v1):
        a, b = v1.split(v1.placeholder("float32", [4], name="x"), 2, name="s")
        v1.add(a, b, name="output")

    before = build(make)
    after = transform(before, ["s:0"], ["output"], "strip_unused_nodes")
    assert node(after, "s").op == "Split"
    feeds = {"x": np.arange(4, dtype=np.float32), "s:0": np.ones(2, np.float32)}
    assert_answers(before, after, feeds, "output")


def test_unknown_dimensions():
    after = transform(build(decoded), ["batched"], ["output"], 'strip_unused_nodes(type=float, shape="-1,4, ?,3")')
    assert shape_of(after, "batched") == [-1, 4, -1, 3]
    assert run(after, {"batched": IMAGE}, "output")[0].shape == (1, 4, 5, 1)


def test_with_several_inputs_the_graph_knows_their_types():
    def make(v1):
        x = v1.sqrt(v1.placeholder("float32", None, name="x"), name="root")
        ids = v1.abs(v1.placeholder("int32", [2]), name="ids")
        v1.gather(x, ids, name="output")

    after = transform(build(make), ["root", "ids"], ["output"], 'strip_unused_nodes(type=float, shape="5")')
    assert (type_of(after, "root"), shape_of(after, "root")) == ("float32", [5])
    assert (type_of(after, "ids"), shape_of(after, "ids")) == ("int32", [2])


def test_another_type_than_the_graphs_is_noted():
    assert "'batched:0' is int32 now" in notes(
        build(decoded), ["batched"], ["output"], "strip_unused_nodes(type=int32)"
    )


def test_type_of_an_unknown_op_is_what_its_reader_expects():
    graph = build(lambda v1: v1.exp(v1.placeholder("float64", [2], name="x"), name="output"))
    graph.node.add(name="mine", op="SomeonesOwnOp", input=["x"])
    node(graph, "output").input[:] = ["mine"]
    after = transform(graph, ["mine"], ["output"], "strip_unused_nodes")
    assert (type_of(after, "mine"), shape_of(after, "mine")) == ("float64", None)


def test_control_inputs_are_needed():
    graph = bare("a Const", "w NoOp ^a", "x Placeholder", "lost Const", "y Relu x ^w")
    assert names(transform(graph, ["x"], ["y:0"], "strip_unused_nodes")) == ["a", "w", "x", "y"]


def test_functions_that_nobody_calls_go_and_colocation_with_them():
    def make(v1):
        called(v1)
        v1.identity(v1.get_default_graph().get_tensor_by_name("x:0"), name="other")

    before = build(make)
    node(before, "other").attr["_class"].list.s.append(b"loc:@output")
    assert before.library.function
    after = transform(before, ["x"], ["other"], "strip_unused_nodes")
    assert not after.library.function
    assert "_class" not in node(after, "other").attr
    assert run(after, {"x": np.ones(4, np.float32)}, "other")[0].tolist() == [1] * 4


def test_functions_lose_what_they_do_not_need():
    import tensorflow as tf

    def body(x):
        tf.exp(x)
        tf.print("kept", output_stream="file:///dev/null")
        return tf.nn.relu(x)

    before = build(lambda v1: called(v1, body))
    after = transform(before, ["x"], ["output"], "strip_unused_nodes")
    left = {n.op for f in after.library.function for n in f.node_def}
    assert "Exp" not in left
    assert {"Relu", "PrintV2"} <= left
    assert_answers(before, after, {"x": np.arange(4, dtype=np.float32) - 2}, "output")
