"""fake_quantize_training and remove_ema: training with the rounding of 8 bits, and what freezing leaves of it."""

import numpy as np
import pytest

from tests.compat.helpers import build, called, feeds_for, inputs_of, names, node, notes, ops, run, transform
from tests.compat.helpers import worst_error as error_of
from tfpare.errors import UnsupportedModel

TRAIN = "fake_quantize_training"


def product(v1):
    v1.matmul(v1.constant([[1.0, 2.0]], name="a"), v1.constant([[3.0], [4.0]], name="b"), name="output")


def activated(op):
    def make(v1):
        x = v1.placeholder("float32", [3, 4], name="x")
        y = getattr(v1.nn, op)(x, name="y")
        v1.matmul(y, v1.constant(np.linspace(-1, 1, 8).reshape(4, 2), "float32", name="k"), name="output")

    return build(make)


def trained(before, outputs=("output",)):
    return transform(before, [n.name for n in before.node if n.op == "Placeholder"], list(outputs), TRAIN)


def frozen(graph_def, value=1.0):
    """The graph with its variables as constants, as freezing leaves it."""
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    for one in result.node:
        if one.op == "VariableV2":
            number = value[one.name] if isinstance(value, dict) else value
            one.CopyFrom(node(build(lambda v1, n=one.name, c=number: v1.constant(np.float32(c), name=n)), one.name))
    return result


def test_inputs_of_a_product_are_quantized():
    before = build(product)
    after = trained(before)
    assert len(after.node) > len(before.node)
    assert inputs_of(after, "output") == ["a/FakeQuantWithMinMaxVars", "b/FakeQuantWithMinMaxVars"]
    assert inputs_of(after, "a/FakeQuantWithMinMaxVars") == ["a", "a/Min/AssignValue", "a/Max/AssignValue"]
    assert ops(after)["VariableV2"] == 4


def test_averages_start_with_the_first_value_and_follow():
    import tensorflow as tf

    after = trained(activated("relu"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(after, name="")
        for largest, wanted in ((2.0, 2.0), (4.0, 2.002), (4.0, 2.003998)):
            x = np.linspace(0, largest, 12).reshape(3, 4)
            session.run("output:0", {"x:0": x})
            assert session.run("y/Max/Variable:0") == pytest.approx(wanted)
            assert session.run("y/Min/Variable:0") == 0


def test_answers_are_nearly_the_same():
    before = activated("relu")
    assert 0 < error_of(before, trained(before), feeds_for(before), "output") < 0.1


@pytest.mark.parametrize(("op", "low", "high"), [("relu6", 0, 6), ("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_known_ranges_are_constants(op, low, high):
    before = activated(op)
    after = trained(before)
    assert inputs_of(after, "y/FakeQuantWithMinMaxVars") == ["y", "y/InputMin", "y/InputMax"]
    assert [float(v) for v in run(after, {}, "y/InputMin", "y/InputMax")] == [low, high]
    assert error_of(before, after, feeds_for(before), "output") < 0.1


def test_ranges_reach_through_shapes_and_pools_and_concatenations():
    def make(v1, *ops):
        x = v1.placeholder("float32", [1, 4, 4, 1], name="x")
        parts = [getattr(v1.nn, op)(x) for op in ops]
        y = v1.reshape(v1.nn.max_pool2d(v1.concat(parts, 3), 2, 2, "VALID"), [4, 2], name="y")
        v1.matmul(y, v1.ones([2, 3], name="k"), name="output")

    known = trained(build(lambda v1: make(v1, "relu6", "tanh")))
    assert [float(v) for v in run(known, {}, "y/InputMin", "y/InputMax")] == [-1, 6]
    before = build(lambda v1: make(v1, "sigmoid", "relu"))
    after = trained(before)
    assert "y/InputMax" not in names(after)
    feeds = {"x": 5 * np.ones((1, 4, 4, 1), np.float32)}
    assert error_of(before, after, feeds, "output") < 0.1


def test_each_output_has_its_own_range():
    def make(v1):
        x = v1.placeholder("float32", [4, 3], name="x")
        small, large = v1.split(x, 2, name="s")
        v1.matmul(small, large, transpose_b=True, name="output")

    before = build(make)
    after = trained(before)
    assert inputs_of(after, "output") == ["s/FakeQuantWithMinMaxVars", "s/port1/FakeQuantWithMinMaxVars"]
    feeds = {"x": np.array([[0.1, 0.2, 0.3]] * 2 + [[50, 60, 70]] * 2, np.float32)}
    assert error_of(before, after, feeds, "output") < 1


def test_a_tensor_is_quantized_once():
    def make(v1):
        x = v1.placeholder("float32", [2, 2], name="x")
        v1.add(v1.matmul(x, x), v1.matmul(x, v1.ones([2, 2])), name="output")

    assert ops(trained(build(make)))["FakeQuantWithMinMaxVars"] == 2


def test_left_alone():
    def make(v1):
        x = v1.placeholder("float32", [2, 2], name="x")
        v1.matmul(x, x, name="gradients/product")
        double = v1.placeholder("float64", [2, 2], name="d")
        v1.matmul(double, double, name="output")

    before = build(make)
    assert ops(trained(before, ("output", "gradients/product"))) == ops(before)


def test_loops_and_functions_are_left_alone():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [2, 2], name="x")
        y = v1.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, v1.matmul(y, y)), [v1.constant(0), x])[1]
        v1.identity(y, name="output")

    before = build(make)
    assert ops(trained(before)) == ops(before)
    assert "loop" in notes(before, ["x"], ["output"], TRAIN)

    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: tf.linalg.matvec(tf.ones([4, 4]), x)))
    assert "VariableV2" not in {n.op for f in trained(before).library.function for n in f.node_def}


def saved(v1):
    v1.disable_resource_variables()
    x = v1.placeholder("float32", [1, 2], name="x")
    v1.matmul(x, v1.get_variable("w", [2, 2]), name="output")
    v1.train.Saver()


def test_saver_saves_and_restores_the_averages(tmp_path):
    import tensorflow as tf

    before = build(saved)
    outputs = ["output", "save/control_dependency", "save/restore_all"]
    after = transform(before, ["x"], outputs, TRAIN)
    path, x = str(tmp_path / "model"), {"x:0": [[3.0, -2.0]]}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(after, name="")
        session.run("w/Assign")
        session.run("output:0", x)
        session.run("save/control_dependency:0", {"save/Const:0": path})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(after, name="")
        session.run("save/restore_all", {"save/Const:0": path})
        assert session.run("x/Max/Variable:0") == 3
        assert session.run("x/Min/Variable:0") == -2


def test_savers_that_cannot_be_extended_are_refused():
    before = build(saved)
    node(before, "save/restore_all").name = "elsewhere"
    with pytest.raises(UnsupportedModel, match="restore_all"):
        transform(before, ["x"], ["output", "save/control_dependency"], TRAIN)

    def twice(v1):
        saved(v1)
        v1.train.Saver(name="second")

    with pytest.raises(UnsupportedModel, match="2 SaveV2"):
        transform(build(twice), ["x"], ["output"], TRAIN)


# -- remove_ema -----------------------------------------------------------------------------------------------------


def test_training_freezing_and_quantizing():
    start = frozen(trained(build(product)))
    simple = transform(start, [], ["output"], "remove_ema")
    assert len(simple.node) < len(start.node)
    assert ops(simple)["Assign"] == ops(simple)["Merge"] == 0
    assert inputs_of(simple, "a/FakeQuantWithMinMaxVars") == ["a", "a/Min/Variable", "a/Max/Variable"]
    after = transform(simple, [], ["output"], "quantize_nodes")
    assert len(after.node) > len(simple.node)
    assert "FakeQuantWithMinMaxVars" not in ops(after)
    run(after, {}, "output")


def test_frozen_ranges_are_used():
    before = activated("relu")
    limits = {"y/Min/Variable": 0, "y/Max/Variable": 2.5, "k/Min/Variable": -1, "k/Max/Variable": 1}
    start = frozen(trained(before), limits)
    simple = transform(start, ["x"], ["output"], "remove_ema")
    assert error_of(before, simple, feeds_for(before), "output") < 0.05
    after = transform(simple, ["x"], ["output"], "quantize_nodes")
    assert "MatMul" not in ops(after)
    assert error_of(before, after, feeds_for(before), "output") < 0.1


def test_outputs_and_attributes_of_the_fake_quant_stay():
    def make(v1):
        s, t = v1.split(v1.placeholder("float32", [4, 3], name="x"), 2, name="s")
        v1.matmul(t, s, transpose_a=True, name="output")

    start = frozen(trained(build(make)), 2.0)
    node(start, "s/port1/FakeQuantWithMinMaxVars").attr["narrow_range"].b = True
    node(start, "s/port1/FakeQuantWithMinMaxVars").input.append("^x")
    simple = transform(start, ["x"], ["output"], "remove_ema")
    kept = node(simple, "s/port1/FakeQuantWithMinMaxVars")
    assert list(kept.input) == ["s:1", "s/port1/Min/Variable", "s/port1/Max/Variable", "^x"]
    assert kept.attr["narrow_range"].b


def test_other_assignments_stay():
    start = frozen(trained(activated("relu")))
    node(start, "y/Max/EMA/ValueDiff").input[0] = "y/Min/Variable"
    simple = transform(start, ["x"], ["output"], "remove_ema")
    assert inputs_of(simple, "y/FakeQuantWithMinMaxVars")[2] == "y/Max/AssignValue"


def test_training_graphs_stay():
    start = trained(activated("relu"))
    assert ops(transform(start, ["x"], ["output"], "remove_ema")) == ops(start)


@pytest.mark.parametrize("values", [[1.0, 1, 1, 1], [50, 60, 70, 80], [-9, -8, -9, -8], [0, 0, 0, 0]])
def test_tensors_without_zero_are_not_clipped(values):
    def make(v1):
        k = v1.constant(np.reshape(values, (2, 2)), "float32", name="k")
        v1.matmul(v1.placeholder("float32", [2, 2], name="x"), k, name="output")

    before = build(make)
    assert error_of(before, trained(before), {"x": np.eye(2, dtype=np.float32)}, "output") < 0.5
