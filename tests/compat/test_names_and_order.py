"""rename_node, obfuscate_names, sort_by_execution_order."""

import itertools

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
    run,
    transform,
)
from tfpare.compat import driver
from tfpare.compat.transforms.obfuscate_names import short_names
from tfpare.compat.work import Work
from tfpare.errors import UnsupportedModel, UsageError

X = np.array([1.5, -2, 3, 4], np.float32)
SPLIT = ("x Placeholder", "dim Const", "splitter Split dim x", "adder Add splitter splitter:1 ^splitter")


def renamed(old, new):
    return f'rename_node(old_node_name="{old}", new_node_name="{new}")'


def test_readers_follow_a_new_name():
    result = transform(bare(*SPLIT), ["x"], ["adder"], renamed("splitter", "demux"))
    assert names(result) == ["x", "dim", "demux", "adder"]
    assert inputs_of(result, "adder") == ["demux", "demux:1", "^demux"]


def test_name_that_is_taken():
    with pytest.raises(UsageError, match="there is a node 'adder' already"):
        transform(bare(*SPLIT), ["x"], ["adder"], renamed("splitter", "adder"))


def test_name_that_is_not_there():
    assert names(transform(bare(*SPLIT), ["x"], ["adder"], renamed("spliter", "demux"))) == [
        *("x", "dim", "splitter", "adder")
    ]
    assert "no node 'spliter'" in notes(bare(*SPLIT), ["x"], ["adder"], renamed("spliter", "demux"))


def test_later_transforms_know_an_output_by_its_new_name():
    before = build(lambda v1: v1.identity(v1.exp(v1.placeholder("float32", [4], name="x")), name="output"))
    after = transform(before, ["x"], ["output"], renamed("output", "y") + " strip_unused_nodes merge_duplicate_nodes")
    np.testing.assert_array_equal(run(before, {"x": X}, "output"), run(after, {"x": X}, "y"))


def colocated(v1):
    x = v1.placeholder("float32", [4], name="x")
    root = v1.exp(x, name="root")
    with v1.get_default_graph().colocate_with(root.op):
        v1.add(root, 1.0, name="output")


@pytest.mark.parametrize("call", [renamed("root", "trunk"), "obfuscate_names"])
def test_colocation_follows(call):
    before = build(colocated)
    after = transform(before, ["x"], ["output"], call)
    new = next(n.name for n in after.node if n.op == "Exp")
    assert node(after, "output").attr["_class"].list.s[:] == [f"loc:@{new}".encode()]
    assert_answers(before, after, {"x": X}, "output")


def test_colocation_with_a_removed_node_goes():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        copy = v1.identity(x, name="copy")
        with v1.get_default_graph().colocate_with(copy.op):
            v1.exp(copy, name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "remove_nodes(op=Identity)")
    assert_answers(before, after, {"x": X}, "output")


def test_short_names():
    first = list(itertools.islice(short_names({"1", "b"}), 62))
    assert first[:3] == ["0", "2", "3"]
    assert first[9:11] == ["a", "c"]
    assert first[59:] == ["Z", "00", "01"]


TREE = ("const1 Const", "const2 Const", "const3 Const", "const4 Const")
ADDS = ("add2 Add const1 const2", "add3 Add const3 const4", "add1 Add add2 add3")


@pytest.mark.parametrize("call", ["obfuscate_names", "obsfucate_names"])
@pytest.mark.parametrize("port", ["", ":0"])
def test_required_names_stay(call, port):
    result = transform(bare(*TREE, *ADDS), [f"const1{port}"], [f"add1{port}"], call)
    assert set(names(result)) & set(names(bare(*TREE, *ADDS))) == {"const1", "add1"}
    assert inputs_of(result, "add1") == ["3", "4"]


def test_many_nodes():
    graph = bare(*(f"node{k} Const" for k in range(1000)))
    result = names(transform(graph, ["node0"], ["node999"], "obfuscate_names"))
    assert len(set(result)) == 1000
    assert (result[0], result[999]) == ("node0", "node999")
    assert max(map(len, result[1:999])) == 2


def test_required_names_that_look_like_short_ones():
    graph = bare(*(f"{k} Const" for k in range(10, 30)))
    result = names(transform(graph, ["10"], ["19"], "obfuscate_names"))
    assert len(set(result)) == 20
    assert (result[0], result[9]) == ("10", "19")


def test_names_inside_functions():
    import tensorflow as tf

    def body(x):
        with tf.control_dependencies([tf.debugging.assert_less(x, 100.0)]):
            return tf.math.top_k(x, name="a_long_name").indices

    before = build(lambda v1: called(v1, body))
    after = transform(before, ["x"], ["output"], "obfuscate_names")
    assert all(len(n.name) < 3 for f in after.library.function for n in f.node_def)
    assert_answers(before, after, {"x": X}, "output")
    with pytest.raises(Exception, match="assertion failed"):
        run(after, {"x": X * 1000}, "output")


def test_stored_variables_keep_their_values():
    from tfpare.ir.model import Variable
    from tfpare.ir.types import Shape, dtype

    graph = build(lambda v1: v1.raw_ops.VariableV2(shape=[2], dtype="float32", name="v"))
    work = Work.from_graph_def(graph, [], [])
    work.variables["v"] = Variable("v", dtype("float32"), Shape((2,)), lambda: np.ones(2, np.float32), "layer/v")
    driver.apply(work, renamed("v", "w"))
    assert (work.variables["w"].key, work.variables["w"].checkpoint_key) == ("w", "layer/v")


def assert_sorted(result, *, but=()):
    seen = set()
    for n in result.node:
        if n.op not in but:
            assert {i.removeprefix("^").partition(":")[0] for i in n.input} <= seen, n.name
        seen.add(n.name)


def test_sorted_graphs():
    result = transform(bare("add Add a b", "a Const", "b Const"), [], ["add"], "sort_by_execution_order")
    assert names(result)[-1] == "add"
    line = bare("negative Neg sqrt", "relu Relu const", "sqrt Sqrt relu", "const Const")
    assert names(transform(line, [], ["negative"], "sort_by_execution_order")) == ["const", "relu", "sqrt", "negative"]
    tree = bare(*reversed(ADDS), *TREE)
    result = transform(tree, [], ["add1"], "sort_by_execution_order")
    assert_sorted(result)
    assert names(result)[-1] == "add1"


def test_common_ancestor():
    graph = bare("add1 Add add2 add3", "add3 Add c1 c3 ^c2", "add2 Add c1 c2", "c3 Const", "c2 Const", "c1 Const")
    result = transform(graph, [], ["add1"], "sort_by_execution_order")
    assert_sorted(result)


def test_sorted_graph_stays_in_its_order():
    graph = bare(*TREE, *ADDS)
    assert names(transform(graph, [], ["add1"], "sort_by_execution_order")) == names(graph)


def test_loops_and_branches():
    before = build(loop)
    after = transform(before, ["x"], ["output"], "sort_by_execution_order")
    assert_sorted(after, but=("Merge",))
    assert_answers(before, after, {"x": X}, "output")
    branches = transform(build(cond), ["x", "p"], ["output"], "sort_by_execution_order")
    assert_sorted(branches)


def test_cycle():
    graph = bare("x Placeholder", "a Add x b", "b Relu a", "c Exp b")
    with pytest.raises(UnsupportedModel, match="3 nodes are in a cycle"):
        transform(graph, ["x"], ["c"], "sort_by_execution_order")


def test_functions_are_sorted():
    before = build(called)
    nodes = before.library.function[0].node_def
    backwards = [type(n).FromString(n.SerializeToString()) for n in reversed(nodes)]
    del nodes[:]
    nodes.extend(backwards)
    after = transform(before, ["x"], ["output"], "sort_by_execution_order remove_device")
    assert [n.op for n in after.library.function[0].node_def][-1] == "Identity"
