"""`inspect`: right about every form, warns of what matters, and never loads, builds or runs anything."""

from __future__ import annotations

import contextlib
import json
import random
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tfpare.catalogue import entries
from tfpare.cli.app import app
from tfpare.errors import UnsupportedModel, UsageError
from tfpare.findings import find_in_keras
from tfpare.inspect import InspectReport, inspect_model
from tfpare.io.inspect_keras import KerasFacts, LayerFacts
from tfpare.to_json import to_json

FIXTURES = Path(__file__).parent / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet"
KERAS = FIXTURES / "tf2_keras_mnist"
MODELS = {
    "v1": MNIST / "saved_model",
    "v1_training": MNIST / "saved_model_is_training",
    "checkpoint": MNIST / "checkpoint" / "model.ckpt-936",
    "graphdef": MNIST / "frozen.pb",
    "v2": KERAS / "saved_model",
    "keras": KERAS / "model.keras",
    "h5": KERAS / "model.h5",
    "hub": FIXTURES / "tf1_hub_module" / "module",
    "functional": FIXTURES / "tf2_functional_cf" / "saved_model",
}


def kinds(report: InspectReport) -> set[str]:
    return {f.kind for g in report.graphs for f in g.findings} | {f.kind for f in report.findings}


@pytest.fixture
def copy_of(tmp_path):
    def copy(name: str) -> Path:
        return Path(shutil.copytree(MODELS[name], tmp_path / name))

    return copy


def edit(model: Path, change) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((model / "saved_model.pb").read_bytes())
    change(proto.meta_graphs[0])
    (model / "saved_model.pb").write_bytes(proto.SerializeToString())


def test_saved_model_of_tf1():
    report = inspect_model(MODELS["v1"])
    (graph,) = report.graphs
    assert (report.form, graph.tags, graph.tensorflow) == ("saved_model", ("serve",), "1.15.5")
    images = graph.signatures["serving_default"].inputs["images"]
    assert (str(images.dtype), str(images.shape), images.tensors) == ("float32", "[?,28,28,1]", ("images:0",))
    assert graph.signatures["serving_default"].method == "tensorflow/serving/predict"
    assert graph.nodes == 333
    assert {o.op: o.count for o in graph.ops}["Conv2D"] == 4
    assert (graph.variables, graph.variable_bytes) == (25, 96200)
    assert (graph.checkpoint_tensors, graph.checkpoint_bytes) == (25, 96200)
    assert sum(graph.devices.values()) == 333


def test_saved_model_of_keras_3_holds_each_weight_twice():
    report = inspect_model(MODELS["v2"])
    (graph,) = report.graphs
    assert set(graph.signatures) == {"serve", "serving_default"}
    assert graph.functions == 6
    (double,) = [f for f in graph.findings if f.kind == "duplicate_weights"]
    assert 0.45 * graph.checkpoint_bytes < double.n_bytes < 0.51 * graph.checkpoint_bytes


def test_training_leftovers():
    (graph,) = inspect_model(MODELS["v1_training"]).graphs
    messages = [f.message for f in graph.findings if f.kind == "training"]
    for what in ("batch norm in training mode", "dropout", "optimizer updates", "gradient ops", "summaries"):
        assert any(what in m for m in messages), what
    assert "control_flow_v1" in {f.kind for f in graph.findings}


def test_checkpoint_with_optimizer_state():
    by_prefix, by_meta = inspect_model(MODELS["checkpoint"]), inspect_model(f"{MODELS['checkpoint']}.meta")
    assert by_prefix.form == by_meta.form == "checkpoint"
    assert by_prefix.path == by_meta.path
    assert "optimizer_state" in kinds(by_prefix)
    assert by_prefix.graphs[0].checkpoint_tensors == 43


def test_bare_graphdef_has_likely_inputs_and_outputs():
    (graph,) = inspect_model(MODELS["graphdef"]).graphs
    assert (graph.likely_inputs, graph.likely_outputs) == (["images:0"], ["classes:0"])
    assert [(p.name, p.dtype) for p in graph.placeholders] == [("images", "float32")]
    assert graph.const_parameters > 24000
    assert not graph.findings


@pytest.mark.parametrize(("name", "form"), [("keras", "keras"), ("h5", "h5")])
def test_keras_files_list_their_layers(name, form):
    report = inspect_model(MODELS[name])
    assert report.form == form
    assert report.keras_version.startswith("3.")
    assert report.weight_bytes > 40000
    assert "Conv2D" in {x.class_name for x in report.layers}
    assert "DepthwiseConv2D" in {x.class_name for x in report.layers}


def test_hub_module_with_two_tag_sets_and_an_asset():
    report = inspect_model(MODELS["hub"])
    assert report.form == "hub_module"
    assert [g.tags for g in report.graphs] == [(), ("train",)]
    assert [a.name for a in report.graphs[0].assets] == ["tokens.txt"]
    assert len(inspect_model(MODELS["hub"], ("train",)).graphs) == 1
    with pytest.raises(UsageError, match="no MetaGraph with tags 'serve'"):
        inspect_model(MODELS["hub"], ("serve",))


@pytest.mark.parametrize("name", MODELS)
def test_everything_becomes_json(name):
    document = json.dumps(to_json(inspect_model(MODELS[name])), allow_nan=False)
    assert json.loads(document)["form"]


def test_clean_models_have_no_grave_findings():
    assert kinds(inspect_model(MODELS["functional"])) == set()


def test_nothing_is_loaded_built_or_run():
    program = f"""
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.client import session
from tensorflow.python.framework import importer, ops

def refuse(*args, **kwargs):
    raise SystemExit("inspect loaded, built or ran something")

import subprocess, socket
ops.Graph.__init__ = tf.Graph.__init__ = session.BaseSession.__init__ = refuse
tf.saved_model.load = tf.compat.v1.saved_model.load = tf.load_op_library = refuse
importer.import_graph_def = tf.graph_util.import_graph_def = refuse
pywrap_tfe.TFE_Py_Execute = pywrap_tfe.TFE_Py_FastPathExecute = pywrap_tfe.TFE_NewContext = refuse
subprocess.Popen.__init__ = socket.socket.connect = refuse
from tfpare.inspect import inspect_model
from tfpare.report_inspect import render
for model in {[str(m) for m in MODELS.values()]!r}:
    render(inspect_model(model))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr[-2000:]


def edit_graph(source: Path, target: Path, change) -> Path:
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    graph_def.ParseFromString(source.read_bytes())
    change(graph_def)
    target.write_bytes(graph_def.SerializeToString())
    return target


def test_variables_by_name():
    (graph,) = inspect_model(MODELS["v1"]).graphs
    assert len(graph.variable_list) == graph.variables == 25
    weights = {v.name: v for v in graph.variable_list}["conv1/weights"]
    assert (weights.dtype, str(weights.shape), weights.n_bytes) == ("float32", "[5,5,1,16]", 1600)
    (graph,) = inspect_model(MODELS["functional"]).graphs
    assert {v.name for v in graph.variable_list} >= {"emb", "mix0", "stem"}


def test_unread_nodes():
    (graph,) = inspect_model(MODELS["v1"]).graphs
    ops = {n.name: n.op for n in graph.unread}
    assert ops["classes"] == "ArgMax"
    assert "probabilities" not in ops  # classes reads it
    assert not {"Const", "Assign", "NoOp", "Placeholder"} & set(ops.values())
    assert [n.name for n in inspect_model(MODELS["graphdef"]).graphs[0].unread] == ["classes"]


@pytest.mark.parametrize("name", ["v1_training", "functional", "loops"])
def test_execution_order(name):
    path = {**MODELS, "loops": FIXTURES / "tf1_control_flow" / "frozen.pb"}[name]
    (graph,) = inspect_model(path, structure=True).graphs
    assert len(graph.structure) == 1 + graph.functions
    assert sum(len(s.nodes) for s in graph.structure) == graph.nodes + graph.function_nodes
    for structure in graph.structure:
        seen: set[str] = set()
        ops = {n.name: n.op for n in structure.nodes}
        for node in structure.nodes:
            for ref in node.inputs:
                source = ref.removeprefix("^").partition(":")[0]
                back = node.op == "Merge" and ops[source] == "NextIteration"
                assert source in seen or source not in ops or back, (node.name, ref)
            seen.add(node.name)
    assert inspect_model(path).graphs[0].structure == []


def test_circles_and_double_names_are_listed_all_the_same(tmp_path):
    def change(graph_def):
        graph_def.node.add(name="a", op="Neg", input=["b"])
        graph_def.node.add(name="b", op="Neg", input=["a"])
        graph_def.node.add(name="images", op="NoOp")

    (graph,) = inspect_model(edit_graph(MODELS["graphdef"], tmp_path / "g.pb", change), structure=True).graphs
    assert len(graph.structure[0].nodes) == graph.nodes


@pytest.mark.parametrize("option", ["--structure", "--print_structure"])
def test_structure_on_the_command_line(option):
    shown = CliRunner().invoke(app, ["inspect", str(MODELS["graphdef"]), option])
    assert shown.exit_code == 0
    assert "classes = ArgMax(" in " ".join(shown.stdout.split())
    done = CliRunner().invoke(app, ["inspect", str(MODELS["functional"]), option, "--json"])
    assert len(json.loads(done.stdout)["graphs"][0]["structure"]) == 22


@pytest.mark.parametrize("where", ["graph", "function"])
def test_invalid_inputs_are_an_error(copy_of, where):
    model = copy_of("functional")

    def change(meta_graph):
        graph_def = meta_graph.graph_def
        nodes = graph_def.node if where == "graph" else graph_def.library.function[0].node_def
        nodes.add(name="new", op="Neg", input=["nobody:out:0", "^nothing"])

    edit(model, change)
    report = inspect_model(model)
    assert [(i.node, i.input) for i in report.invalid_inputs] == [("new", "nobody:out:0"), ("new", "^nothing")]
    assert all(bool(i.function) == (where == "function") for i in report.invalid_inputs)
    assert not report.next_steps
    done = CliRunner().invoke(app, ["inspect", str(model), "--json"])
    assert done.exit_code == 3
    assert "2 inputs name no node, the first is 'nobody:out:0' of node 'new'" in done.stderr
    assert json.loads(done.stdout)["graphs"][0]["invalid_inputs"][1]["input"] == "^nothing"


@pytest.mark.parametrize("name", MODELS)
def test_no_invalid_inputs_in_good_models(name):
    report = inspect_model(MODELS[name])
    assert report.invalid_inputs == []
    assert report.next_steps


def test_next_steps_are_commands_that_work(tmp_path):
    model = shutil.copy(MODELS["graphdef"], tmp_path / "it's my model.pb")
    optimize, transform = inspect_model(model).next_steps
    assert "--input_names images:0 --output_names classes:0" in optimize.command
    assert "--inputs images:0 --outputs classes:0" in transform.command
    assert shlex.split(transform.command)[:3] == ["tfpare", "transform", "--in_graph"]
    done = CliRunner().invoke(app, [*shlex.split(optimize.command)[1:], "--no-verify"])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "it's my model_optimized.pb").is_file()
    shown = CliRunner().invoke(app, ["inspect", str(model)]).stdout
    printed = shown[shown.index("tfpare optimize") :].replace("\\\n", "").strip().splitlines()
    assert [shlex.split(line) for line in printed] == [shlex.split(s.command) for s in (optimize, transform)]


def test_placeholders_are_shown_where_signatures_do_not_name_them():
    assert "Placeholders" in CliRunner().invoke(app, ["inspect", str(MODELS["graphdef"])]).stdout
    assert "Placeholders" not in CliRunner().invoke(app, ["inspect", str(FIXTURES / "tf1_hub_module/module")]).stdout


def test_missing_shard(copy_of):
    model = copy_of("v1")
    (model / "variables" / "variables.data-00000-of-00001").unlink()
    assert any("data-00000" in f.message for f in inspect_model(model).graphs[0].findings if f.kind == "damaged")


def test_missing_index(copy_of):
    model = copy_of("v2")
    (model / "variables" / "variables.index").unlink()
    assert any("variables.index is missing" in f.message for f in inspect_model(model).graphs[0].findings)


def test_missing_and_escaping_assets(copy_of):
    model = copy_of("functional")
    (model / "assets" / "vocab.txt").unlink()
    assert "asset_missing" in kinds(inspect_model(model))
    (model / "assets" / "vocab.txt").symlink_to("/etc/hostname")
    assert "asset_escapes" in kinds(inspect_model(model))

    def escape(meta_graph):
        meta_graph.asset_file_def[0].filename = "../../etc/passwd"

    edit(model, escape)
    (finding,) = [f for f in inspect_model(model).graphs[0].findings if f.kind == "asset_escapes"]
    assert finding.example == "../../etc/passwd"


def test_recursive_functions(copy_of):
    model = copy_of("functional")

    def recurse(meta_graph):
        function = meta_graph.graph_def.library.function[0]
        node = function.node_def.add(name="again", op="PartitionedCall")
        node.attr["f"].func.name = function.signature.name

    edit(model, recurse)
    (finding,) = [f for f in inspect_model(model).graphs[0].findings if f.kind == "recursive_function"]
    assert finding.example


def test_custom_python_and_file_ops(copy_of):
    model = copy_of("v1")

    def add(meta_graph):
        for name, op in (("mine", "MyOwnOp"), ("py", "EagerPyFunc"), ("read", "ReadFile"), ("log", "PrintV2")):
            meta_graph.graph_def.node.add(name=name, op=op)

    assert not {"custom_op", "python_code", "file_access"} & kinds(inspect_model(model))
    edit(model, add)
    found = {f.kind: f for f in inspect_model(model).graphs[0].findings}
    assert found["custom_op"].example == "MyOwnOp 'mine'"
    assert found["python_code"].count == 1
    assert found["file_access"].count == 2


def test_node_names_that_occur_twice(copy_of):
    model = copy_of("v1")
    edit(model, lambda meta_graph: meta_graph.graph_def.node.add(name="images", op="NoOp"))
    assert any("'images'" in f.message for f in inspect_model(model).graphs[0].findings if f.kind == "damaged")


@pytest.mark.parametrize("keep", [0, 1, 1000])
def test_cut_off_files(tmp_path, keep):
    for name in ("saved_model.pb", "graph.pb", "model.keras", "model.h5"):
        source = {"saved_model.pb": MODELS["v1"] / name, "graph.pb": MODELS["graphdef"]}.get(name, KERAS / name)
        target = tmp_path / name
        target.write_bytes(source.read_bytes()[:keep])
        with pytest.raises(UnsupportedModel, match=str(tmp_path)):
            inspect_model(tmp_path if name == "saved_model.pb" else target)


@pytest.mark.parametrize("name", ["v1", "graphdef", "keras", "h5"])
def test_flipped_bits_are_read_or_refused(tmp_path, name):
    source = MODELS[name] / "saved_model.pb" if name == "v1" else MODELS[name]
    target = tmp_path / source.name
    data, rng = source.read_bytes(), random.Random(name)
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 3, 20])):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        target.write_bytes(damaged)
        with contextlib.suppress(UnsupportedModel):
            json.dumps(to_json(inspect_model(tmp_path if name == "v1" else target)), allow_nan=False)


def test_what_is_no_model(tmp_path):
    with pytest.raises(UnsupportedModel, match=r"without saved_model\.pb"):
        inspect_model(tmp_path)
    with pytest.raises(UnsupportedModel, match="does not exist"):
        inspect_model(tmp_path / "nothing.pb")


def test_lambda_and_foreign_layers():
    layers = [LayerFacts("Lambda", "squeeze", "keras.layers"), LayerFacts("Dense", "d", "keras.layers")]
    layers.append(LayerFacts("Gate", "g", "my.code"))
    found = {f.kind: f.example for f in find_in_keras(KerasFacts("3.0", "Functional", layers))}
    assert found == {"python_code": "squeeze", "custom_layer": "my.code.Gate"}


def test_an_oversized_configuration_is_refused(tmp_path):
    bomb = tmp_path / "model.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (65 << 20))
        archive.writestr("metadata.json", b"{}")
    with pytest.raises(UnsupportedModel, match=r"config\.json is larger than"):
        inspect_model(bomb)


def test_catalogue_knows_every_rule_with_its_sections():
    rules = [e for e in entries() if e.kind == "rule"]
    assert rules
    for one in rules:
        headings = [s.heading for s in one.sections]
        assert one.summary, one.name
        assert any(h.startswith("Before") for h in headings), one.name
        assert "Declines when" in headings, one.name
        assert "Source" in headings, one.name
