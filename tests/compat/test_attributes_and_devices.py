"""remove_attribute, rename_attribute, rename_op, set_device, remove_device."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, bare, build, called, names, node, transform
from tfpare.errors import UsageError

X = np.array([1.5, -2, 3, 4], np.float32)


def marked():
    graph = bare("a Const", "b Const", "mul Mul a b", "add Add mul b")
    for name in ("mul", "add"):
        node(graph, name).attr["foo"].i = 3
    node(graph, "mul").attr["bar"].i = 4
    node(graph, "add").attr["bob"].i = 5
    return graph


def attributes(graph):
    return {n: set(node(graph, n).attr) for n in ("mul", "add")}


@pytest.mark.parametrize("argument", ["", ", op_name=*"])
def test_attribute_goes_from_all_nodes(argument):
    call = f"remove_attribute(attribute_name=foo{argument.replace('*', chr(34) + '*' + chr(34))})"
    assert attributes(transform(marked(), [], ["add"], call)) == {"mul": {"bar"}, "add": {"bob"}}


def test_attribute_goes_from_one_op():
    result = transform(marked(), [], ["add"], "remove_attribute(attribute_name=foo, op_name=Mul)")
    assert attributes(result) == {"mul": {"bar"}, "add": {"foo", "bob"}}


def test_attribute_gets_another_name():
    call = 'rename_attribute(old_attribute_name=foo, new_attribute_name=baz, op_name="*")'
    result = transform(marked(), [], ["add"], call)
    assert attributes(result) == {"mul": {"baz", "bar"}, "add": {"baz", "bob"}}
    assert node(result, "add").attr["baz"].i == 3


def test_attribute_of_one_op_gets_another_name():
    call = "rename_attribute(old_attribute_name=foo, new_attribute_name=baz, op_name=Mul)"
    result = transform(marked(), [], ["add"], call)
    assert attributes(result) == {"mul": {"baz", "bar"}, "add": {"foo", "bob"}}


def test_attribute_that_exists_keeps_its_value():
    result = transform(marked(), [], ["add"], "rename_attribute(old_attribute_name=foo, new_attribute_name=bar)")
    assert node(result, "mul").attr["bar"].i == 4
    assert "foo" not in node(result, "mul").attr


def test_attribute_named_like_itself_stays():
    result = transform(marked(), [], ["add"], "rename_attribute(old_attribute_name=foo, new_attribute_name=foo)")
    assert node(result, "mul").attr["foo"].i == 3


@pytest.mark.parametrize(
    "call",
    [
        "remove_attribute",
        "remove_attribute(op_name=Mul)",
        "remove_attribute(attribute_name=a, attribute_name=b)",
        "rename_attribute(old_attribute_name=foo)",
        "rename_attribute(new_attribute_name=foo)",
        "rename_op(old_op_name=Mul)",
        "rename_op(old_op_name=Mul, old_op_name=Add, new_op_name=Sub)",
    ],
)
def test_arguments_are_required_once(call):
    with pytest.raises(UsageError):
        transform(marked(), [], ["add"], call)


def test_op_gets_another_name():
    result = transform(marked(), [], ["add"], "rename_op(old_op_name=Mul, new_op_name=Multiply)")
    assert [n.op for n in result.node] == ["Const", "Const", "Multiply", "Add"]
    assert names(result) == names(marked())
    assert attributes(result) == attributes(marked())


def test_references_in_functions_follow_the_ops_output():
    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: tf.nn.relu(x) + 1.0))
    after = transform(before, ["x"], ["output"], "rename_op(old_op_name=Relu, new_op_name=Exp)")
    body = after.library.function[0].node_def
    assert "Exp" in {n.op for n in body}
    expected = build(lambda v1: called(v1, lambda x: tf.exp(x) + 1.0))
    assert_answers(expected, after, {"x": X}, "output")


def placed():
    graph = bare("a Const", "b Const", "c Const", "d Const", "e Add a b", "f Add c d", "g Mul e f")
    node(graph, "a").device = "/device:CPU:0"
    node(graph, "e").device = "/device:GPU:1"
    return graph


def test_device_of_all_nodes():
    result = transform(placed(), [], ["g"], 'set_device(device="/device:CPU:0")')
    assert [n.device for n in result.node] == ["/device:CPU:0"] * 7


def test_device_of_nodes_that_have_none():
    result = transform(placed(), [], ["g"], 'set_device(device="/device:CPU:2", if_default=true)')
    devices = {n.name: n.device for n in result.node}
    assert devices.pop("a") == "/device:CPU:0"
    assert devices.pop("e") == "/device:GPU:1"
    assert list(devices.values()) == ["/device:CPU:2"] * 5


@pytest.mark.parametrize("call", ["set_device", "remove_device"])
def test_no_device(call):
    assert {n.device for n in transform(placed(), [], ["g"], call).node} == {""}


def test_device_with_a_colon_needs_quotes():
    with pytest.raises(UsageError, match="':CPU:0"):
        transform(placed(), [], ["g"], "set_device(device=/device:CPU:0)")


@pytest.mark.parametrize(
    ("call", "device"),
    [
        ("remove_device", ""),
        ('set_device(device="/device:CPU:0")', "/device:CPU:0"),
        ('set_device(device="/device:CPU:0", if_default=1)', "/device:GPU:3"),
    ],
)
def test_devices_inside_functions(call, device):
    before = build(called)
    assert "/device:GPU:3" in {n.device for f in before.library.function for n in f.node_def}
    after = transform(before, ["x"], ["output"], call)
    relu = next(n for f in after.library.function for n in f.node_def if n.op == "Relu")
    assert relu.device == device


def test_graph_of_another_device_runs_here():
    before, plain = build(called), build(lambda v1: called(v1, lambda x: v1.nn.relu(x * 3.0)))
    assert_answers(plain, transform(before, ["x"], ["output"], "remove_device"), {"x": X}, "output")
