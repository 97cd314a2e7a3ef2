import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, inputs_of, names, node, ops, transform

MERGE = "merge_duplicate_nodes"
A = np.arange(4, dtype=np.float32).reshape(2, 2) - 1


def merged(make, inputs=("x",), outputs=("output",)):
    before = build(make)
    return before, transform(before, inputs, outputs, MERGE)


# the original's own tests


def test_equal_constants():
    def make(v1):
        a, b = v1.constant([1.0, 2.0], name="a"), v1.constant([1.0, 2.0], name="b")
        v1.add(v1.add(a, b, name="add"), v1.constant([1.0, 3.0], name="c"), name="output")

    before, after = merged(make, ())
    assert ops(after)["Const"] == 2
    assert len(set(inputs_of(after, "add"))) == 1
    assert_answers(before, after, {}, "output")


def test_equal_nodes_over_equal_constants():
    def make(v1):
        a, b = v1.constant([1.0, 2.0]), v1.constant([1.0, 2.0])
        v1.add(v1.nn.relu(a), v1.nn.relu(b), name="output")

    before, after = merged(make, ())
    assert ops(after) == {"Const": 1, "Relu": 1, "AddV2": 1}
    assert_answers(before, after, {}, "output")


@pytest.mark.parametrize("port", ["", ":0"])
def test_inputs_and_outputs_stay(port):
    def make(v1):
        a, b = v1.constant([1.0, 2.0], name="a"), v1.constant([1.0, 2.0], name="b")
        mul = [v1.multiply(a, b, name=f"mul{k}") for k in (1, 2, 3)]
        v1.add_n(mul, name="final")

    before = build(make)
    after = transform(before, [f"a{port}"], [f"mul1{port}", f"final{port}"], MERGE)
    assert {"a", "b", "mul1", "final"} <= set(names(after))
    assert ops(after)["Mul"] <= 2
    fed = {"a": np.array([5.0, 7.0], np.float32)}
    assert_answers(before, after, fed, "mul1", "final")


def test_equal_quantizations():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        both = [v1.raw_ops.QuantizeV2(input=x, min_range=-1.0, max_range=1.0, T="quint8") for _ in range(2)]
        values = [v1.raw_ops.Dequantize(input=q[0], min_range=q[1], max_range=q[2]) for q in both]
        v1.add(values[0], values[1], name="output")

    before, after = merged(make)
    assert ops(after)["QuantizeV2"] == 1
    assert_answers(before, after, {"x": np.linspace(-1, 1, 4, dtype=np.float32)}, "output")


# what counts as equal


@pytest.mark.parametrize(
    "other",
    [
        lambda v1: v1.constant([1.0, 3.0]),
        lambda v1: v1.constant([1, 2]),
        lambda v1: v1.constant([[1.0, 2.0]]),
        lambda v1: v1.constant([-0.0, 2.0]),
    ],
)
def test_other_constants(other):
    def make(v1):
        v1.identity(v1.constant([0.0, 2.0]), name="output")
        v1.identity(other(v1), name="other")

    assert ops(merged(make, (), ("output", "other"))[1])["Const"] == 2


def test_other_devices():
    def make(v1):
        x = v1.placeholder("float32", [2], name="x")
        with v1.device("/device:CPU:0"):
            y = v1.exp(x)
        v1.add(v1.exp(x), y, name="output")

    assert ops(merged(make)[1])["Exp"] == 2


# what the original gets wrong


def test_attributes_have_names():
    def make(v1):
        x, y = v1.placeholder("float32", [2, 2], name="x"), v1.placeholder("float32", [2, 2], name="y")
        v1.add(v1.matmul(x, y, transpose_a=True), v1.matmul(x, y, transpose_b=True), name="output")

    before = build(make)
    for n in before.node:  # as files with stripped defaults have them
        for key in ("transpose_a", "transpose_b"):
            if key in n.attr and not n.attr[key].b:
                del n.attr[key]
    after = transform(before, ["x", "y"], ["output"], MERGE)
    assert ops(after)["MatMul"] == 2
    assert_answers(before, after, {"x": A, "y": A + 1}, "output")


def test_stripped_and_written_defaults_are_equal():
    def make(v1):
        x = v1.placeholder("float32", [2, 2], name="x")
        v1.add(v1.matmul(x, x, name="m"), v1.matmul(x, x), name="output")

    before = build(make)
    del node(before, "m").attr["transpose_a"]
    after = transform(before, ["x"], ["output"], MERGE)
    assert ops(after)["MatMul"] == 1


def test_placeholders_that_nobody_lists_stay_two():
    def make(v1):
        v1.subtract(v1.placeholder("float32", [2], name="x"), v1.placeholder("float32", [2], name="y"), name="output")

    before, after = merged(make, ())
    assert_answers(before, after, {"x": A[0], "y": A[1]}, "output")


def test_encodings_of_constants():
    def make(v1):
        a, b = v1.constant([1.0, 1.0], name="a"), v1.constant([1.0, 1.0], name="b")
        v1.add(a, b, name="output")

    before = build(make)
    tensor = node(before, "b").attr["value"].tensor
    tensor.ClearField("tensor_content")
    tensor.float_val[:] = [1.0]
    after = transform(before, [], ["output"], MERGE)
    assert ops(after)["Const"] == 1
    assert_answers(before, after, {}, "output")


def test_order_of_operands():
    def make(v1):
        x, y = v1.placeholder("float32", [2], name="x"), v1.placeholder("float32", [2], name="y")
        v1.add(x * y, y * x, name="output")
        v1.add(x - y, y - x, name="other")

    before, after = merged(make, ("x", "y"), ("output", "other"))
    assert (ops(after)["Mul"], ops(after)["Sub"]) == (1, 2)
    assert_answers(before, after, {"x": A[0], "y": A[1]}, "output", "other")


def test_colocation_does_not_matter():
    def make(v1):
        x = v1.placeholder("float32", [2], name="x")
        with v1.get_default_graph().colocate_with(x.op):
            y = v1.exp(x)
        v1.add(v1.exp(x), y, name="output")

    assert ops(merged(make)[1])["Exp"] == 1


def test_outputs_of_a_split():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        (a, b), (c, d) = v1.split(x, 2), v1.split(x, 2)
        v1.concat([a - d, c * b], 0, name="output")

    before, after = merged(make)
    assert ops(after)["Split"] == 1
    assert_answers(before, after, {"x": np.arange(4, dtype=np.float32)}, "output")


def test_nodes_that_nobody_reads():
    def make(v1):
        v1.exp(v1.placeholder("float32", [2], name="x"), name="output")
        v1.constant([1.0], name="a")
        v1.constant([1.0], name="b")

    assert ops(merged(make)[1])["Const"] == 1


def test_state_and_chance_stay_two():
    def make(v1):
        v1.subtract(v1.random.uniform([4], seed=1), v1.random.uniform([4], seed=1), name="output")

    assert ops(merged(make, ())[1])["RandomUniform"] == 2
