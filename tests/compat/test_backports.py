"""backport_concatv2, backport_tensor_array_v3."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, bare, build, called, inputs_of, names, node, ops, run, transform
from tfpare.errors import UnsupportedModel

CONCAT, ARRAY = "backport_concatv2", "backport_tensor_array_v3"
X = np.array([1.5, -2, 3, 4], np.float32)


def test_concat_takes_its_axis_first():
    graph = bare("c1 Const", "c2 Const", "c3 Const", "concat ConcatV2 c1 c2 c3", "other Add c1 c2")
    node(graph, "concat").attr["Tidx"].type = 3
    result = transform(graph, [], ["concat", "other"], CONCAT)
    assert node(result, "concat").op == "Concat"
    assert inputs_of(result, "concat") == ["c3", "c1", "c2"]
    assert "Tidx" not in node(result, "concat").attr
    assert node(result, "other") == node(graph, "other")


def joined(v1, axis=None):
    x = v1.placeholder("float32", [4], name="x")
    v1.raw_ops.ConcatV2(values=[x, x * 2.0], axis=v1.constant(0) if axis is None else axis(v1), name="output")


def test_concat_that_waits():
    before = build(joined)
    node(before, "output").input.append("^x")
    after = transform(before, ["x"], ["output"], CONCAT)
    assert inputs_of(after, "output")[-1] == "^x"
    assert_answers(before, after, {"x": X}, "output")


def test_wide_axis():
    before = build(lambda v1: joined(v1, lambda v1: v1.constant(0, "int64", name="axis")))
    after = transform(before, ["x"], ["output"], CONCAT)
    assert "axis" not in names(after)
    assert len(after.node) == len(before.node)
    assert_answers(before, after, {"x": X}, "output")


def test_wide_axis_that_others_read_or_feed():
    def make(v1):
        axis = v1.constant(0, "int64", name="axis")
        joined(v1, lambda v1: axis)
        v1.add(axis, axis, name="twice")

    before = build(make)
    after = transform(before, ["x"], ["output", "twice"], CONCAT)
    assert_answers(before, after, {"x": X}, "output", "twice")
    fed = transform(before, ["x", "axis"], ["output", "twice"], CONCAT)
    assert ops(fed)["Cast"] == 1
    assert_answers(before, fed, {"x": X, "axis": np.int64(0)}, "output")


def test_computed_wide_axis():
    before = build(lambda v1: joined(v1, lambda v1: v1.abs(v1.constant(0, "int64"))))
    after = transform(before, ["x"], ["output"], CONCAT)
    assert ops(after)["Cast"] == 1
    assert_answers(before, after, {"x": X}, "output")


def test_concat_in_functions():
    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: tf.concat([x, tf.exp(x)], tf.constant(0, tf.int64))))
    after = transform(before, ["x"], ["output"], CONCAT)
    assert "ConcatV2" not in {n.op for f in after.library.function for n in f.node_def}
    assert_answers(before, after, {"x": X}, "output")


def array(v1, x):
    ops = v1.raw_ops
    ta = ops.TensorArrayV3(size=2, dtype="float32", element_shape=[4], name="ta")
    flow = ops.TensorArrayWriteV3(handle=ta[0], index=0, value=x, flow_in=ta[1])
    flow = ops.TensorArrayWriteV3(handle=ta[0], index=1, value=x * 2.0, flow_in=flow)
    all_ = ops.TensorArrayGatherV3(handle=ta[0], indices=[0, 1], flow_in=flow, dtype="float32")
    size = ops.TensorArraySizeV3(handle=ta[0], flow_in=flow)
    return all_ * v1.cast(size, "float32")


def test_tensor_array():
    before = build(lambda v1: v1.identity(array(v1, v1.placeholder("float32", [4], name="x")), name="output"))
    after = transform(before, ["x"], ["output"], ARRAY)
    assert not [n.op for n in after.node if n.op.startswith("TensorArray") and not n.op.endswith("V2")]
    assert not [i for n in after.node for i in n.input if i == "ta:1"]
    assert "identical_element_shapes" not in node(after, "ta").attr
    assert list(node(after, "ta/replacement_flow_node").input) == ["^ta"]
    assert_answers(before, after, {"x": X}, "output")


def test_array_and_its_gradient():
    graph = bare(
        *("size Const", "ta TensorArrayV3 size", "grad TensorArrayGradV3 ta ta:1"),
        *("i0 Identity ta:1", "i1 Identity grad:1", "i2 TensorArrayCloseV3 grad"),
    )
    result = transform(graph, [], ["i0", "i1"], ARRAY)
    assert [node(result, n).op for n in ("ta", "grad", "i2")] == [
        *("TensorArrayV2", "TensorArrayGradV2", "TensorArrayCloseV2")
    ]
    assert not [i for n in result.node for i in n.input if i.endswith(":1")]


@pytest.mark.parametrize("verb", "Write Read Gather Scatter Concat Split Size Close".split())
def test_ops_of_arrays(verb):
    graph = bare("h Placeholder", f"op TensorArray{verb}V3 h")
    assert node(transform(graph, ["h"], ["op"], ARRAY), "op").op == f"TensorArray{verb}V2"


def in_loop(v1):
    v1.disable_control_flow_v2()
    x = v1.placeholder("float32", [4], name="x")
    ta = v1.TensorArray("float32", 3, element_shape=[4])
    result = v1.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t.write(i, x * v1.cast(i, "float32"))), [0, ta])
    v1.identity(result[1].stack(), name="output")


def test_array_in_a_loop():
    before = build(in_loop)
    assert "TensorArrayV3" in ops(before)
    after = transform(before, ["x"], ["output"], ARRAY)
    assert_answers(before, after, {"x": X}, "output")


def in_branch(v1):
    v1.disable_control_flow_v2()
    x = v1.placeholder("float32", [4], name="x")
    p = v1.placeholder("bool", [], name="p")
    v1.identity(v1.cond(p, lambda: array(v1, x), lambda: array(v1, -x)), name="output")


def test_array_in_a_branch():
    before = build(in_branch)
    after = transform(before, ["x", "p"], ["output"], ARRAY)
    for p in (True, False):
        assert_answers(before, after, {"x": X, "p": p}, "output")


def test_array_that_leaves_the_graph():
    def make(v1):
        array(v1, v1.placeholder("float32", [4], name="x"))

    with pytest.raises(UnsupportedModel, match="leaves the graph"):
        transform(build(make), ["x"], ["ta:0"], ARRAY)


def test_graphs_without_arrays_keep_their_version():
    before = build(lambda v1: joined(v1))
    assert transform(before, ["x"], ["output"], ARRAY).versions == before.versions
    assert run(before, {"x": X}, "output")[0].shape == (8,)
