"""Lists of transforms: order, errors, what survives every one of them, what is tidied up."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, bare, build, called, names, node, ops, run, transform
from tfpare.compat import TransformGraph, driver
from tfpare.compat.registry import TRANSFORMS, load_all
from tfpare.compat.registry import transform as register
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import InvariantError, TfpareError, UnsupportedModel, UsageError
from tfpare.io.graphdef import read_graphdef

load_all()
WITHOUT_ARGUMENTS = sorted(n for n, t in TRANSFORMS.items() if not t.needs_arguments)
BOOKKEEPING = (
    "strip_unused_nodes",
    "remove_nodes(op=Identity)",
    "remove_attribute(attribute_name=_nothing)",
    "rename_attribute(old_attribute_name=_a, new_attribute_name=_b)",
    "rename_op(old_op_name=Nothing, new_op_name=Something)",
    "rename_node(old_node_name=middle, new_node_name=center)",
    "obfuscate_names",
    "remove_device",
    "set_device",
    "remove_control_dependencies",
    "sort_by_execution_order",
    "add_default_attributes",
    "merge_duplicate_nodes",
    "insert_logging(op=Exp)",
    "inline_partitionedcall",
    "backport_concatv2",
    "backport_tensor_array_v3",
)
X = np.array([1.5, -2, 3, 4], np.float32)


def plain(v1):
    x = v1.placeholder("float32", [4], name="x")
    middle = v1.identity(v1.exp(x), name="middle")
    v1.add(middle, v1.constant(1.0) + v1.constant(2.0), name="output")
    v1.sqrt(x, name="unused")


def test_the_graph_that_is_given_stays():
    before = build(plain)
    copy = before.SerializeToString(deterministic=True)
    TransformGraph(before, ["x"], ["output"], ["strip_unused_nodes", "obfuscate_names"])
    assert before.SerializeToString(deterministic=True) == copy


def test_no_transform_changes_nothing():
    before = build(plain)
    assert transform(before, ["x"], ["output"]) == before
    assert TransformGraph(before, ["x"], ["output"], "") == before


def test_transforms_follow_each_other():
    after = transform(
        build(plain), ["x"], ["output"], "strip_unused_nodes remove_nodes(op=Identity)", "set_device(device=d)"
    )
    assert set(ops(after)) == {"Placeholder", "Exp", "Const", "AddV2"}
    assert {n.device for n in after.node} == {"d"}


@pytest.fixture
def own_transforms():
    before = dict(TRANSFORMS)

    @register(effect=None)
    def clear_all(work: Work) -> None:
        """Removes every node."""
        work.proto().ClearField("node")

    @register(effect=Effect.EXACT)
    def stumble(work: Work) -> None:
        """Changes the graph and fails."""
        work.proto().node[0].device = "changed"
        raise UnsupportedModel("something is in the way")

    yield
    TRANSFORMS.clear()
    TRANSFORMS.update(before)


def test_own_transform(own_transforms):
    assert len(transform(bare("a Const", "b Relu a"), [], [], "clear_all").node) == 0


def test_damage_is_found(own_transforms):
    with pytest.raises(InvariantError, match="clear_all: node 'b', which callers use, is gone"):
        transform(bare("a Const", "b Relu a"), [], ["b"], "clear_all")


def test_failing_transform(own_transforms):
    with pytest.raises(UnsupportedModel, match="Transform stumble: something is in the way"):
        transform(bare("a Const"), [], ["a"], "stumble")


@pytest.mark.parametrize("value", ["true", "TRUE", "True"])
def test_errors_that_are_ignored(own_transforms, value):
    graph = bare("a Const", "b Relu a", "c Exp b")
    work = Work.from_graph_def(graph, [], ["b"])
    steps = driver.apply(work, f"stumble(ignore_errors={value}) strip_unused_nodes")
    assert [bool(s.error) for s in steps] == [True, False]
    assert names(work.proto()) == ["a", "b"]
    assert work.proto().node[0].device == ""
    assert "stumble was left out" in " ".join(work.notes)


def test_errors_that_are_not_ignored(own_transforms):
    with pytest.raises(UnsupportedModel):
        transform(bare("a Const"), [], ["a"], "stumble(ignore_errors=false)")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("strip_unused_nodes(ignore_errors=foo)", "true or false, not 'foo'"),
        ("no_such_transform", "'no_such_transform' is not recognized"),
        ("remove_device(tpye=float)", "no argument 'tpye'"),
        ("remove_nodes(op=Identity", "expected"),
        ("remove_nodes (op=Identity)", "expected"),
    ],
)
def test_calls_are_checked_before_the_first_one_runs(call, message):
    progress = []
    with pytest.raises(UsageError, match=message):
        driver.apply(Work.from_graph_def(build(plain), ["x"], ["output"]), f"remove_device {call}", progress.append)
    assert not progress


@pytest.mark.parametrize("name", ["y", "x:1:2", "x:a", "outputs"])
def test_names_that_the_graph_does_not_have(name):
    for inputs, outputs in (([name], ["output"]), (["x"], [name])):
        with pytest.raises(TfpareError):
            transform(build(plain), inputs, outputs, "remove_device")


def test_inputs_of_nodes_that_do_not_exist():
    graph = bare("a Const", "b Add a gone", "c Relu ^missing")
    with pytest.raises(UnsupportedModel, match="'b' reads 'gone', which is not in the graph"):
        transform(graph, [], ["b"], "remove_device")
    graph.node.add(name="gone", op="Const")
    with pytest.raises(UnsupportedModel, match="'c' reads '\\^missing'"):
        transform(graph, [], ["b"], "remove_device")
    graph.node.add(name="missing", op="Const")
    assert transform(graph, [], ["b"], "remove_device") == graph


def test_names_that_occur_twice():
    with pytest.raises(UnsupportedModel, match="two nodes have the name 'a'"):
        transform(bare("a Const", "a Const"), [], ["a"], "remove_device")


# what every transform leaves alone


@pytest.mark.parametrize("call", BOOKKEEPING)
@pytest.mark.parametrize("port", ["", ":0"])
def test_answers_and_version_stay(call, port):
    before = build(plain)
    after = transform(before, [f"x{port}"], [f"output{port}"], call)
    assert after.versions == before.versions
    assert {"x", "output"} <= set(names(after))
    assert_answers(before, after, {"x": X}, "output")


@pytest.mark.parametrize("call", BOOKKEEPING)
def test_unknown_ops_pass(call):
    before = build(plain)
    before.node.add(name="mine", op="SomeonesOwnOp", input=["middle", "^x"], device="d").attr["k"].i = 3
    node(before, "output").input[0] = "mine:1"
    after = transform(before, ["x"], ["output"], call)
    mine = next(n for n in after.node if n.op == "SomeonesOwnOp")
    assert mine.attr["k"].i == 3
    assert node(after, "output").input[0] == f"{mine.name}:1"


@pytest.mark.parametrize("call", WITHOUT_ARGUMENTS)
def test_unknown_ops_pass_every_transform(call):
    before = build(plain)
    before.node.add(name="mine", op="SomeonesOwnOp", input=["middle"])
    node(before, "output").input[0] = "mine"
    assert "SomeonesOwnOp" in ops(transform(before, ["x"], ["output"], call))


@pytest.mark.parametrize("call", WITHOUT_ARGUMENTS)
def test_unknown_ops_inside_functions_pass_every_transform(call):
    before = build(called)
    body = before.library.function[0].node_def
    identity = next(n for n in body if n.op == "Identity")
    body.add(name="mine", op="SomeonesOwnOp", input=[identity.input[0]]).attr["k"].i = 3
    identity.input[0] = "mine:y:0"
    after = transform(before, ["x"], ["output"], call)
    found = [n for f in after.library.function for n in f.node_def if n.op == "SomeonesOwnOp"]
    assert [n.attr["k"].i for n in found] == [3]


@pytest.mark.parametrize("call", BOOKKEEPING)
def test_functions_that_nobody_calls_go(call):
    def make(v1):
        called(v1)
        v1.exp(v1.get_default_graph().get_tensor_by_name("x:0"), name="other")

    before = build(make)
    extra = before.library.function.add()
    extra.CopyFrom(before.library.function[0])
    extra.signature.name = "nobody"
    after = transform(before, ["x"], ["output", "other"], call)
    assert "nobody" not in {f.signature.name for f in after.library.function}


@pytest.mark.parametrize("call", BOOKKEEPING)
def test_gradients_of_functions_stay(call):
    before = build(called)
    gradient = before.library.function.add()
    gradient.CopyFrom(before.library.function[0])
    gradient.signature.name = "gradient"
    name = before.library.function[0].signature.name
    before.library.gradient.add(function_name=name, gradient_func="gradient")
    after = transform(before, ["x"], ["output"], call)
    known = {f.signature.name for f in after.library.function}
    assert all({g.function_name, g.gradient_func} <= known for g in after.library.gradient)


# files


def test_text_and_binary_files_are_equal(tmp_path):
    from google.protobuf import text_format

    graph = build(plain)
    (tmp_path / "a.pb").write_bytes(graph.SerializeToString())
    (tmp_path / "a.pbtxt").write_text(text_format.MessageToString(graph))
    assert read_graphdef(tmp_path / "a.pb") == read_graphdef(tmp_path / "a.pbtxt") == graph


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "garbage.pb").write_bytes(b"\x07garbage{")
    for name in ("garbage.pb", "missing.pb"):
        with pytest.raises(UnsupportedModel, match=name):
            read_graphdef(tmp_path / name)


def test_run_twice_gives_the_same():
    before = build(plain)
    calls = "strip_unused_nodes remove_nodes(op=Identity) merge_duplicate_nodes sort_by_execution_order"
    once = transform(before, ["x"], ["output"], calls)
    assert sorted(names(transform(once, ["x"], ["output"], calls))) == sorted(names(once))
    np.testing.assert_array_equal(run(before, {"x": X}, "output"), run(once, {"x": X}, "output"))
