"""`diff`: what is equal is said to be equal, whatever the encoding; what differs is found and named."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from typer.testing import CliRunner

import tfpare
from tfpare.cli.app import app
from tfpare.diffing.types import DiffOptions, FieldChange
from tfpare.diffing.values import attr_key, compare_values
from tfpare.errors import UnsupportedModel, UsageError
from tfpare.ir.types import DType
from tfpare.to_json import to_json

FIXTURES = Path(__file__).parent / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet"
FUNCTIONAL = FIXTURES / "tf2_functional_cf" / "saved_model"
MODELS = [
    *(MNIST / "saved_model", MNIST / "frozen.pb", MNIST / "checkpoint" / "model.ckpt-936"),
    *(FUNCTIONAL, FIXTURES / "tf2_mixed_dtypes" / "saved_model", FIXTURES / "tf1_control_flow" / "saved_model"),
    *(FIXTURES / "tf2_keras_mnist" / "model.keras", FIXTURES / "tf2_keras_mnist" / "model.h5"),
    FIXTURES / "tf1_hub_module" / "module",
]
PLAIN = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 3 } } float_val: [1, 2, 3] } } } }
node { name: "y" op: "Mul" input: "x" input: "c" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "z" op: "Neg" input: "y" input: "^c" input: "^x" attr { key: "T" value { type: DT_FLOAT } } }
versions { producer: 27 }
"""


@pytest.fixture
def write(tmp_path):
    """Writes a graph as text, with parts of it replaced; returns the file."""

    def write(name: str, *replacements: tuple[str, str], text: str = PLAIN) -> Path:
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def diff_of(write):
    """The report on PLAIN and an edited copy."""

    def diff_of(*replacements: tuple[str, str], **options):
        return tfpare.diff(write("a.pbtxt"), write("b.pbtxt", *replacements), DiffOptions(**options))

    return diff_of


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def main_graph(report):
    (graph,) = report.graphs
    return graph.graph


def edited(source: Path, target: Path, change) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(source, target)
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((target / "saved_model.pb").read_bytes())
    change(proto.meta_graphs[0])
    (target / "saved_model.pb").write_bytes(proto.SerializeToString())
    return target


# What is equal


@pytest.mark.parametrize("model", MODELS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_form_equals_itself(model):
    report = tfpare.diff(model, model)
    assert report.verdict == "equal"
    assert all(not g.ops and not g.sections and not g.versions for g in report.graphs)


def test_binary_and_text(write, tmp_path):
    graph_def = text_format.Parse(PLAIN, graph_pb2.GraphDef())
    (tmp_path / "a.pb").write_bytes(graph_def.SerializeToString())
    assert tfpare.diff(tmp_path / "a.pb", write("b.pbtxt")).is_equal


@pytest.mark.parametrize(
    "change",
    [
        ('input: "x" input: "c"', 'input: "x:0" input: "c:0"'),
        ('input: "^c" input: "^x"', 'input: "^x" input: "^c"'),
        ("float_val: [1, 2, 3]", r'tensor_content: "\000\000\200?\000\000\000@\000\000@@"'),
        ('op: "Placeholder"', 'op: "Placeholder" attr { key: "shape" value { shape { unknown_rank: true } } }'),
    ],
    ids=["port 0", "control order", "encoding", "default"],
)
def test_spellings_make_no_difference(diff_of, change):
    assert diff_of(change).verdict == "equal"


def test_node_order_makes_no_difference(tmp_path):
    graph_def = graph_pb2.GraphDef()
    graph_def.ParseFromString((MNIST / "frozen.pb").read_bytes())
    nodes = list(graph_def.node)
    random.Random(1).shuffle(nodes)
    shuffled = graph_pb2.GraphDef(node=nodes, versions=graph_def.versions)
    (tmp_path / "b.pb").write_bytes(shuffled.SerializeToString())
    assert tfpare.diff(MNIST / "frozen.pb", tmp_path / "b.pb").is_equal


def test_versions_are_told_and_count_only_on_demand(diff_of):
    report = diff_of(("producer: 27", "producer: 1087"))
    assert report.is_equal
    assert report.graphs[0].versions == [FieldChange("producer", "27", "1087")]
    assert not diff_of(("producer: 27", "producer: 1087"), versions=True).is_equal


def test_internal_attributes_are_told_and_count_only_on_demand(diff_of):
    change = ('op: "Mul"', 'op: "Mul" attr { key: "_class" value { list { s: "loc:@x" } } }')
    assert diff_of(change).is_equal
    assert main_graph(diff_of(change)).internal == 1
    (found,) = main_graph(diff_of(change, internal_attrs=True)).changed
    assert found.fields == [FieldChange("_class", None, "['loc:@x']")]


# What differs


@pytest.mark.parametrize(
    ("change", "node", "expected"),
    [
        (('op: "Neg"', 'op: "Abs"'), "z", FieldChange("op", "Neg", "Abs")),
        (('op: "Neg"', 'op: "Neg" device: "/cpu:0"'), "z", FieldChange("device", None, "/cpu:0")),
        (('input: "y"', 'input: "x"'), "z", FieldChange("input 0", "y", "x")),
        (('input: "y"', 'input: "y:1"'), "z", FieldChange("input 0", "y", "y:1")),
        (('input: "x" input: "c"', 'input: "x"'), "y", FieldChange("input 1", "c", None)),
        ((' input: "^x"', ""), "z", FieldChange("control input", "x", None)),
        ((' input: "^x"', ' input: "^y"'), "z", FieldChange("control input", None, "y")),
        (
            ('op: "Placeholder"', 'op: "Placeholder" attr { key: "shape" value { shape { dim { size: 3 } } } }'),
            "x",
            FieldChange("shape", None, "[3]"),
        ),
    ],
)
def test_changed_nodes(diff_of, change, node, expected):
    report = diff_of(change)
    assert report.verdict == "different"
    (found,) = main_graph(report).changed
    assert found.name == node
    assert expected in found.fields
    assert not found.is_renaming


def test_changed_constants(diff_of):
    (found,) = main_graph(diff_of(("[1, 2, 3]", "[1, 2.5, 3]"))).changed
    assert (found.name, found.fields) == ("c", [])
    value = found.value
    assert (value.a, value.b, value.compared, value.unequal) == ("float32[3]", "float32[3]", 3, 1)
    assert value.max_abs == 0.5
    (found,) = main_graph(diff_of(("size: 3", "size: 1"), ("[1, 2, 3]", "[1]"))).changed
    assert (found.value.a, found.value.b, found.value.compared) == ("float32[3]", "float32[1]", 0)
    assert found.value.max_abs is None


def test_only_in_one_and_op_counts(diff_of):
    report = diff_of(('node { name: "z" op: "Neg"', 'node { name: "w" op: "Abs"'))
    graph = main_graph(report)
    assert [(n.name, n.op) for n in graph.only_in_a] == [("z", "Neg")]
    assert [(n.name, n.op) for n in graph.only_in_b] == [("w", "Abs")]
    assert [(o.op, o.a, o.b) for o in report.graphs[0].ops] == [("Abs", 0, 1), ("Neg", 1, 0)]
    assert not graph.renamed


# Names


def test_renamed_nodes(diff_of):
    report = diff_of(('"c"', '"weights"'), ('"^c"', '"^weights"'), ('"y"', '"product"'))
    assert report.verdict == "renamed"
    graph = main_graph(report)
    assert {(r.op, r.a, r.b) for r in graph.renamed} == {("Const", "c", "weights"), ("Mul", "y", "product")}
    (reader,) = graph.changed
    assert (reader.name, reader.is_renaming) == ("z", True)


def test_a_renamed_constant_of_another_value_is_not_renamed(diff_of):
    graph = main_graph(diff_of(('"c"', '"k"'), ('"^c"', '"^k"'), ("[1, 2, 3]", "[1, 2, 4]")))
    assert not graph.renamed
    assert {c.name for c in graph.changed if not c.is_renaming} == {"y", "z"}


RANDOM = """
node { name: "shape" op: "Const" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "value" value { tensor {
  dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 3 } } } }
node { name: "r1" op: "RandomUniform" input: "shape" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "r2" op: "RandomUniform" input: "shape" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "d" op: "Sub" input: "r1" input: "r2" attr { key: "T" value { type: DT_FLOAT } } }
"""


def test_two_equal_nodes_are_not_one(write):
    """r1 − r2 is no r − r under other names, though the inputs of both look the same."""
    a, b = write("a.pbtxt", text=RANDOM), write("b.pbtxt", ('"r', '"s'), ('"d"', '"e"'), text=RANDOM)
    assert tfpare.diff(a, b).verdict == "renamed"
    c = write("c.pbtxt", ('"r', '"s'), ('"d"', '"e"'), ('input: "s2"', 'input: "s1"'), text=RANDOM)
    report = tfpare.diff(a, c)
    assert report.verdict == "different"
    assert "d" in {n.name for n in main_graph(report).only_in_a}


def test_renamed_loops(tmp_path):
    source = graph_pb2.GraphDef()
    source.ParseFromString((FIXTURES / "tf1_control_flow" / "frozen.pb").read_bytes())
    target = graph_pb2.GraphDef(versions=source.versions)
    for node in sorted(source.node, key=lambda n: n.name):
        new = target.node.add()
        new.CopyFrom(node)
        new.name = f"scope/{node.name}"
        del new.input[:]
        new.input.extend(f"^scope/{i[1:]}" if i.startswith("^") else f"scope/{i}" for i in node.input)
    (tmp_path / "b.pb").write_bytes(target.SerializeToString())
    report = tfpare.diff(FIXTURES / "tf1_control_flow" / "frozen.pb", tmp_path / "b.pb")
    assert report.verdict == "renamed"
    assert all(r.b == f"scope/{r.a}" or r.op == "Const" for r in main_graph(report).renamed)
    assert len(main_graph(report).renamed) == len(source.node)


def exported(path: Path, before: int, factor: float = 2.0) -> Path:
    """A SavedModel of TF 2; functions get other numbers when others were traced before."""
    for _ in range(before):
        tf.function(lambda x: x + 1.0).get_concrete_function(tf.TensorSpec([], tf.float32))

    @tf.function
    def inner(x):
        return tf.nn.relu(x) * factor

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def serve(x):
        return {"y": inner(x) + 1.0}

    module = tf.Module()
    module.serve, module.v = serve, tf.Variable([1.0, 2.0])
    tf.saved_model.save(module, path, signatures={"serving_default": serve})
    return path


def test_functions_of_two_exports_are_matched(tmp_path):
    report = tfpare.diff(exported(tmp_path / "a", 0), exported(tmp_path / "b", 5))
    assert report.verdict == "renamed"
    (graph,) = report.graphs
    assert graph.functions.renamed
    assert not graph.sections


def test_a_changed_function_is_compared_with_its_namesake(tmp_path):
    report = tfpare.diff(exported(tmp_path / "a", 0), exported(tmp_path / "b", 5, 3.0))
    assert report.verdict == "different"
    changes = [c for f in report.graphs[0].functions.changed for c in f.body.changed if c.value]
    assert changes
    assert all(c.op == "Const" and c.value.max_abs == 1.0 for c in changes)


# More than graphs


def test_variables_are_compared_by_value(tmp_path):
    a, b = exported(tmp_path / "a", 0), tmp_path / "b"
    shutil.copytree(a, b)
    prefix = str(b / "variables" / "variables")
    reader = tf.train.load_checkpoint(str(a / "variables" / "variables"))
    names = sorted(reader.get_variable_to_shape_map())
    tensors = [reader.get_tensor(n) + 0.25 if n.startswith("v/") else tf.constant(reader.get_tensor(n)) for n in names]
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    report = tfpare.diff(a, b)
    assert report.verdict == "different"
    (change,) = report.graphs[0].sections["variables"].changed
    assert change.name.startswith("v/")
    assert change.value.max_abs == 0.25


def test_signatures_assets_and_objects(tmp_path):
    def change(meta_graph):
        signature = meta_graph.signature_def["serving_default"]
        signature.outputs["scores"].CopyFrom(signature.outputs["logits"])
        del signature.outputs["logits"]
        signature.inputs["branch"].dtype = 9
        meta_graph.object_graph_def.nodes[0].children[0].local_name = "other"

    copy = edited(FUNCTIONAL, tmp_path / "b", change)
    (copy / "assets" / "vocab.txt").write_text("nothing")
    sections = tfpare.diff(FUNCTIONAL, copy).graphs[0].sections
    assert sections["signatures"].only_in_a == ["serving_default, output logits"]
    assert sections["signatures"].only_in_b == ["serving_default, output scores"]
    (dtype,) = [c for c in sections["signatures"].changed if c.name.endswith("branch")]
    assert dtype.fields == [FieldChange("dtype", "int32", "int64")]
    assert [c.name for c in sections["assets"].changed] == ["vocab.txt"]
    assert any("other" in name for name in sections["objects"].only_in_b)


def test_metagraphs_are_matched_by_their_tags(tmp_path):
    module = FIXTURES / "tf1_hub_module" / "module"
    report = tfpare.diff(module, edited(module, tmp_path / "b", lambda m: m.meta_info_def.tags.append("gpu")))
    assert (report.only_in_a, report.only_in_b) == (["(empty)"], ["gpu"])
    assert report.verdict == "different"
    assert tfpare.diff(module, module, DiffOptions(tags=("train",))).graphs[0].tags_a == ("train",)


def test_two_metagraphs_with_the_same_tags_are_refused(tmp_path):
    module = FIXTURES / "tf1_hub_module" / "module"
    copy = edited(module, tmp_path / "b", lambda m: m.meta_info_def.tags.append("train"))
    with pytest.raises(UnsupportedModel, match="same tags"):
        tfpare.diff(module, copy)


def test_values_that_nobody_has_are_a_note(tmp_path):
    shutil.copy(f"{MODELS[2]}.meta", tmp_path / "m.meta")
    report = tfpare.diff(tmp_path / "m.meta", tmp_path / "m")
    assert report.is_equal
    assert any("values of variables are unknown" in n for n in report.notes)
    assert tfpare.diff(MODELS[2], tmp_path / "m").verdict == "different"


def test_graph_and_saved_model():
    report = tfpare.diff(MNIST / "saved_model", MNIST / "frozen.pb")
    assert report.verdict == "different"
    assert any("forms differ" in n for n in report.notes)
    assert "signatures" not in report.graphs[0].sections


def test_keras_layers_and_weights(tmp_path):
    source, target = FIXTURES / "tf2_keras_mnist" / "model.keras", tmp_path / "b.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                (layer,) = [x for x in config["config"]["layers"] if x["config"]["name"] == "conv2d"]
                layer["config"]["padding"] = "valid"
                data = json.dumps(config).encode()
            new.writestr(name, data)
    (change,) = main_graph(tfpare.diff(source, target)).changed
    assert (change.name, change.op) == ("conv2d", "Conv2D")
    assert [f.field for f in change.fields] == ["padding"]


# Values


def test_values_bit_for_bit():
    nan = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    assert compare_values(nan, nan.copy()) is None
    assert math.isnan(compare_values(nan[:1], nan[1:]).max_abs)
    assert compare_values(np.float32([0.0]), np.float32([-0.0])).unequal == 1
    assert compare_values(np.float32([np.inf]), np.float32([-np.inf])).max_abs == math.inf
    assert compare_values(np.zeros((0, 3)), np.zeros((0, 3))) is None
    assert compare_values(np.zeros((0, 3)), np.zeros((0, 4))) is not None
    extremes = np.array([np.iinfo(np.int64).min]), np.array([np.iinfo(np.int64).max])
    assert compare_values(*extremes).max_abs == float(2**64 - 1)
    assert compare_values(np.array([True]), np.array([False])).max_abs is None
    texts = np.array([b"a", b"b"], object), np.array([b"a", b"c"], object)
    assert (compare_values(*texts).unequal, compare_values(*texts).max_abs) == (1, None)
    assert compare_values(np.complex64([1j]), np.complex64([2j])).max_abs == 1.0
    assert compare_values(np.float32([1.5]), np.float16([1.5])).max_abs == 0.0
    assert compare_values(np.float32([1.5]), np.array([b"x"], object)).unequal == 1


def test_repeated_values_take_no_memory():
    one, other = (np.broadcast_to(np.float32(k), (1 << 28,)) for k in (1, 2))
    assert compare_values(one, one) is None
    assert (compare_values(one, other).unequal, compare_values(one, other).max_abs) == (1 << 28, 1.0)
    assert attr_key(np.broadcast_to(np.float32(3), (100,))) == attr_key(np.full(100, 3, np.float32))


def test_attributes_of_different_types_are_not_equal():
    values = [True, 1, 1.0, "1", (1,), (True,), 0.0, -0.0, DType("float32"), "float32", float("nan")]
    assert len({attr_key(v) for v in values}) == len(values)


def test_quantized_constants(tmp_path):
    text = """node { name: "q" op: "Const" attr { key: "dtype" value { type: DT_QINT8 } } attr { key: "value" value {
      tensor { dtype: DT_QINT8 tensor_shape { dim { size: 2 } } ENCODING } } } }"""
    for name, encoding in (("a", "int_val: [1, 2]"), ("b", 'tensor_content: "\\001\\002"'), ("c", "int_val: [1, 5]")):
        (tmp_path / name).write_text(text.replace("ENCODING", encoding))
    assert tfpare.diff(tmp_path / "a", tmp_path / "b").is_equal
    assert main_graph(tfpare.diff(tmp_path / "a", tmp_path / "c")).changed[0].value.max_abs == 3


# Size, damage, the command line


def chain(path: Path, count: int, prefix: str = "", device: str = "") -> Path:
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name=f"{prefix}n0", op="Placeholder").attr["dtype"].type = 1
    for k in range(1, count):
        inputs = [f"{prefix}n{k - 1}", f"{prefix}n{k // 2}"]
        graph_def.node.add(name=f"{prefix}n{k}", op="AddV2", input=inputs, device=device).attr["T"].type = 1
    path.write_bytes(graph_def.SerializeToString())
    return path


def test_time_is_linear(tmp_path):
    seconds = []
    for count in (3000, 24000):
        files = [chain(tmp_path / f"{k}.pb", count, *rest) for k, rest in enumerate([(), ("p/",), ("", "/cpu:0")])]
        begin = time.process_time()
        assert len(main_graph(tfpare.diff(files[0], files[1])).renamed) == count
        assert len(main_graph(tfpare.diff(files[0], files[2])).changed) == count - 1
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 24 * max(seconds[0], 0.05)  # 8 times the nodes; 64 if it were the square


def test_deep_graphs_do_not_recurse(tmp_path):
    a, b = chain(tmp_path / "a.pb", 5000), chain(tmp_path / "b.pb", 5000, "other/")
    assert tfpare.diff(a, b).verdict == "renamed"


def test_flipped_bits_are_compared_or_refused(tmp_path):
    data, rng, target = (MNIST / "frozen.pb").read_bytes(), random.Random(3), tmp_path / "b.pb"
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 3, 20])):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        target.write_bytes(damaged)
        with contextlib.suppress(UnsupportedModel):
            json.dumps(to_json(tfpare.diff(MNIST / "frozen.pb", target)), allow_nan=False)


def test_names_that_occur_twice_are_refused(write):
    with pytest.raises(UnsupportedModel, match="two nodes with the name 'x'"):
        tfpare.diff(write("a.pbtxt"), write("b.pbtxt", ('name: "z"', 'name: "x"')))


def test_several_metagraphs_against_a_graph():
    with pytest.raises(UsageError, match=r"--tag_set: .*empty.*train"):
        tfpare.diff(FIXTURES / "tf1_hub_module" / "module", MNIST / "frozen.pb")


@pytest.mark.parametrize("case", ["missing", "garbage", "directory", "forms", "tags"])
def test_bad_input_is_exit_code_2(tmp_path, case):
    (tmp_path / "garbage.pb").write_bytes(b"\x08garbage\xff")
    other, says = {
        "missing": (tmp_path / "nothing.pb", "does not exist"),
        "garbage": (tmp_path / "garbage.pb", "neither a binary nor a text GraphDef"),
        "directory": (tmp_path, "no SavedModel"),
        "forms": (FIXTURES / "tf2_keras_mnist" / "model.h5", "can only be compared with one of its kind"),
        "tags": (MNIST / "saved_model", "no MetaGraph with tags 'gpu'"),
    }[case]
    for arguments in ((MNIST / "frozen.pb", other), (other, MNIST / "frozen.pb")):
        done = call("diff", *arguments, "--json", "--tag_set", "gpu")
        assert done.exit_code == 2
        assert done.stderr.startswith("tfpare: ")
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert json.loads(done.stdout)["exit_code"] == 2


def test_exit_codes_and_report(write):
    a = write("a.pbtxt")
    done = call("diff", a, a)
    assert done.exit_code == 0
    assert "equal" in done.stdout
    done = call("diff", a, write("b.pbtxt", ("[1, 2, 3]", "[1, 2.5, 3]"), ('op: "Neg"', 'op: "Abs"')))
    assert done.exit_code == 1
    for part in ("different", "Neg", "c (Const)", "1 of 3 differ, max abs difference 0.5", "Neg → Abs"):
        assert part in done.stdout, part


def test_long_lists_are_cut(tmp_path):
    a, b = chain(tmp_path / "a.pb", 40), chain(tmp_path / "b.pb", 2)
    cut = call("diff", a, b).stdout
    assert "… and 26 more (--all)" in cut
    assert "n39" not in cut
    whole = call("diff", a, b, "--all").stdout
    assert "more" not in whole
    assert "n39" in whole
    document = json.loads(call("diff", a, b, "--json").stdout)
    assert document["verdict"] == "different"
    assert len(document["graphs"][0]["graph"]["only_in_a"]) == 38


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = call("diff", FUNCTIONAL, FIXTURES / "tf2_keras_mnist" / "saved_model").stdout
    assert max(len(line) for line in shown.splitlines()) <= width


def test_an_optimized_model_differs_from_its_original(tmp_path):
    tfpare.optimize(MNIST / "saved_model", tmp_path / "out", tfpare.OptimizeOptions(verify=False))
    report = tfpare.diff(MNIST / "saved_model", tmp_path / "out")
    (graph,) = report.graphs
    assert "signatures" not in graph.sections
    assert len(graph.sections["variables"].only_in_a) == 25
    assert graph.nodes_b < graph.nodes_a
