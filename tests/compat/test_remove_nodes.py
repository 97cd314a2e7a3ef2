import numpy as np
import pytest

from tests.compat.helpers import (
    assert_answers,
    bare,
    build,
    called,
    cond,
    inputs_of,
    loop,
    names,
    node,
    notes,
    ops,
    run,
    transform,
)
from tfpare.errors import UnsupportedModel, UsageError

IDENTITY = "remove_nodes(op=Identity)"
X = np.array([1.5, -2, 3, 4], np.float32)


# the original's own tests


def test_readers_read_what_the_nodes_read():
    graph = bare(
        *("a Const", "b Const", "c Const", "ia Identity a", "ib Identity b", "ic Identity c"),
        *("add1 Add ia ib", "add2 Add ia ic", "add3 Add ib ic", "add4 Add add1 add2"),
    )
    result = transform(graph, [], ["add4", "add3"], IDENTITY)
    assert ops(result) == {"Const": 3, "Add": 4}
    assert [inputs_of(result, f"add{k}") for k in (1, 2, 3)] == [["a", "b"], ["a", "c"], ["b", "c"]]


def test_outputs_and_inputs_stay():
    graph = bare("x Placeholder", "i Identity x", "y Relu i", "o Identity y")
    assert names(transform(graph, ["i:0"], ["o:0"], IDENTITY)) == ["x", "i", "y", "o"]


def test_chain():
    graph = bare("x Placeholder", "a Identity x", "b Identity a", "c Identity b", "y Relu c")
    result = transform(graph, [], ["y"], IDENTITY)
    assert names(result) == ["x", "y"]
    assert inputs_of(result, "y") == ["x"]


def test_several_inputs_and_constants_that_nobody_reads_then():
    graph = bare("c1 Const", "c2 Const", "c3 Const", "f FakeQuantWithMinMaxVars c1 c2 c3", "y Relu f")
    assert len(transform(graph, [], ["y"], "remove_nodes(op=FakeQuantWithMinMaxVars)").node) == 5
    result = transform(graph, [], ["y"], "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=3)")
    assert names(result) == ["c1", "y"]
    assert inputs_of(result, "y") == ["c1"]


def test_constants_that_others_read_stay():
    graph = bare("c1 Const", "c2 Const", "c3 Const", "f FakeQuantWithMinMaxVars c1 c2 c3", "y Add f c2", "z Relu y ^c3")
    result = transform(graph, [], ["z"], "remove_nodes(op=FakeQuantWithMinMaxVars, max_inputs=3)")
    assert names(result) == ["c1", "c2", "c3", "y", "z"]


def test_op_is_required():
    with pytest.raises(UsageError, match="remove_nodes needs op"):
        transform(bare("a Const"), [], ["a"], "remove_nodes")


# what the original gets wrong


def test_second_output_that_is_read_is_an_error():
    def make(v1):
        x = v1.placeholder("float32", [1, 2, 2, 3], name="x")
        y, mean = v1.nn.fused_batch_norm(x, [1.0] * 3, [0.0] * 3, [0.0] * 3, [1.0] * 3, is_training=False, name="bn")[
            :2
        ]
        v1.add(y, mean, name="output")

    before = build(make)
    op = node(before, "bn").op
    with pytest.raises(UnsupportedModel, match="output 1 is read as well"):
        transform(before, ["x"], ["output"], f"remove_nodes(op={op}, max_inputs=5)")
    kept = transform(before, ["x"], ["output"], f"remove_nodes(op={op}, max_inputs=5, ignore_errors=true)")
    assert op in ops(kept)


def test_input_may_be_a_second_output():
    graph = bare("s Split a x", "a Const", "x Placeholder", "i Identity s:1", "y Add i s")
    assert inputs_of(transform(graph, [], ["y"], IDENTITY), "y") == ["s:1", "s"]


def test_readers_wait_for_what_the_node_waited_for():
    graph = bare("x Placeholder", "w NoOp", "i Identity x ^w", "y Relu i", "z Exp x ^i")
    result = transform(graph, ["x"], ["y", "z"], IDENTITY)
    assert inputs_of(result, "y") == ["x", "^w"]
    assert inputs_of(result, "z") == ["x", "^x", "^w"]


def test_merge_does_not_wait():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [4], name="x")
        p = v1.placeholder("bool", [], name="p")
        outside = v1.exp(x)
        v1.add(v1.cond(p, lambda: x * 2.0, lambda: v1.identity(outside)), 1.0, name="output")

    before = build(make)
    after = transform(before, ["x", "p"], ["output"], IDENTITY)
    for p in (True, False):
        assert_answers(before, after, {"x": X, "p": p}, "output")


def test_identity_that_waits_for_its_branch_stays():
    before = build(cond)
    merge = next(n for n in before.node if n.op == "Merge")
    pivot = next(i[1:] for n in before.node for i in n.input if i.startswith("^") and n.name != "x")
    source = before.node.add(name="free", op="Identity", input=["x", f"^{pivot}"])
    source.attr["T"].type = 1
    kept = [r for r in merge.input if pivot.endswith("f") == ("Switch" in r or "mul" in r)]
    merge.input[:] = ["free", *kept][:2]
    after = transform(before, ["x", "p"], ["output"], IDENTITY)
    for p in (True, False):
        assert_answers(before, after, {"x": X, "p": p}, "output")


def test_pivots_of_conditionals_stay():
    before = build(cond)
    after = transform(before, ["x", "p"], ["output"], IDENTITY)
    assert ops(after)["Identity"] < ops(before)["Identity"]
    for p in (True, False):
        assert_answers(before, after, {"x": X, "p": p}, "output")
    assert "place nodes in a branch" in notes(before, ["x", "p"], ["output"], IDENTITY)


def test_pivots_of_loops_stay():
    before = build(loop)
    after = transform(before, ["x"], ["output"], IDENTITY)
    assert ops(after)["Identity"] < ops(before)["Identity"]
    assert_answers(before, after, {"x": X}, "output")


def test_loops_and_branches_stay():
    before = build(cond)
    call = "remove_nodes(op=Switch, op=Merge, max_inputs=2)"
    after = transform(before, ["x", "p"], ["output"], call)
    assert ops(after) == ops(before)
    assert "belongs to a loop or branch" in notes(before, ["x", "p"], ["output"], call)


def test_cast_that_changes_the_type_stays():
    def make(v1):
        x = v1.placeholder("int32", [4], name="x")
        y = v1.cast(x, "float32")
        same = v1.raw_ops.Cast(x=y, DstT="float32")
        v1.exp(same, name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "remove_nodes(op=Cast)")
    assert ops(after)["Cast"] == 1
    assert_answers(before, after, {"x": np.arange(4, dtype=np.int32)}, "output")
    assert "turns int32 into float32" in notes(before, ["x"], ["output"], "remove_nodes(op=Cast)")


def test_unknown_op_goes_and_unknown_readers_stay():
    graph = bare("x Placeholder", "a MyOwnOp x", "i Identity a", "y YourOp i i:0 ^i")
    result = transform(graph, ["x"], ["y"], "remove_nodes(op=MyOwnOp, op=Identity)")
    assert list(node(result, "y").input) == ["x", "x", "^x"]


def test_names_that_begin_alike():
    graph = bare("a Placeholder", "a_1 Identity a", "a/b Identity a_1", "a_1/c Relu a/b")
    assert inputs_of(transform(graph, ["a"], ["a_1/c"], IDENTITY), "a_1/c") == ["a"]


def test_function_bodies():
    import tensorflow as tf

    def body(x):
        parts = tf.split(tf.identity(tf.identity(x)), 2)
        return tf.identity(tf.concat([tf.identity(parts[1]), parts[0]], 0))

    before = build(lambda v1: called(v1, body))
    after = transform(before, ["x"], ["output"], IDENTITY)
    assert "Identity" not in {n.op for f in after.library.function for n in f.node_def}
    assert_answers(before, after, {"x": X}, "output")


def test_function_result_that_waits_for_an_effect_stays():
    import tensorflow as tf

    def body(x):
        with tf.control_dependencies([tf.debugging.assert_less(x, 100.0)]):
            return tf.identity(x)

    before = build(lambda v1: called(v1, body))
    after = transform(before, ["x"], ["output"], IDENTITY)
    assert_answers(before, after, {"x": X}, "output")
    with pytest.raises(Exception, match="assertion failed"):
        run(after, {"x": X * 1000}, "output")
