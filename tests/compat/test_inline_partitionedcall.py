import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, called, names, node, ops, run, transform
from tfpare.errors import TfpareError

X = np.array([1.5, -2, 3, 4], np.float32)
INLINE = "inline_partitionedcall"
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def inlined(make_body=None):
    before = build(lambda v1: called(v1, make_body))
    assert CALLS & set(ops(before))
    return before, transform(before, ["x"], ["output"], INLINE)


def test_call_becomes_the_body():
    before, after = inlined(lambda x: x * 2.0 + 1.0)
    assert not CALLS & set(ops(after))
    assert not after.library.function
    call = next(n.name for n in before.node if n.op in CALLS)
    assert f"{call}/mul" in names(after)
    assert_answers(before, after, {"x": X}, "output")


def test_named_outputs_and_calls_within():
    import tensorflow as tf

    @tf.function
    def inner(x):
        values, indices = tf.math.top_k(x, 2)
        first, second = tf.split(values, 2)
        return second, tf.cast(indices, tf.float32) + first

    before, after = inlined(lambda x: inner(x * 2.0)[1] - inner(x)[0])
    assert not CALLS & set(ops(after))
    assert_answers(before, after, {"x": X}, "output")


def test_effects_happen():
    import tensorflow as tf

    def body(x):
        tf.debugging.assert_less(x, 100.0)
        return x + 1.0

    before, after = inlined(body)
    assert_answers(before, after, {"x": X}, "output")
    with pytest.raises(Exception, match="assertion failed"):
        run(after, {"x": X * 1000}, "output")


@pytest.mark.parametrize("body", [lambda x: x + 1.0, lambda x: -x, lambda x: x])
def test_what_the_call_waits_for(body):
    def make(v1):
        called(v1, body)
        x = v1.get_default_graph().get_tensor_by_name("x:0")
        v1.raw_ops.Assert(condition=v1.reduce_all(x < 100.0), data=["too large"], name="check")

    before = build(make)
    next(n for n in before.node if n.op in CALLS).input.append("^check")
    after = transform(before, ["x"], ["output"], INLINE)
    assert_answers(before, after, {"x": X}, "output")
    with pytest.raises(Exception, match="too large"):
        run(after, {"x": X * 1000}, "output")


def test_nodes_that_nobody_reads_stay():
    def make(v1):
        called(v1)
        v1.constant(1.0, name="alone")

    before = build(make)
    after = transform(before, ["x"], ["output"], f"remove_device {INLINE} merge_duplicate_nodes")
    assert "alone" in names(after)
    assert_answers(transform(before, ["x"], ["output"], "remove_device"), after, {"x": X}, "output")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda call: call.attr.pop("f"), "has no attribute f"),
        (lambda call: setattr(call.attr["f"], "i", 1), "has no attribute f"),
        (lambda call: setattr(call.attr["f"].func, "name", "gone"), "'gone', which is not among"),
        (lambda call: call.input.append("x"), "has 2 inputs, but"),
    ],
)
def test_calls_that_cannot_be(damage, message):
    before = build(called)
    damage(next(n for n in before.node if n.op in CALLS))
    with pytest.raises(TfpareError, match=message):
        transform(before, ["x"], ["output"], INLINE)
    again = transform(before, ["x"], ["output"], f"{INLINE}(ignore_errors=true)")
    assert node(again, "output").op == "Identity"
