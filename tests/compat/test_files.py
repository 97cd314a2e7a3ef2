"""`tfpare transform` from file to file: GraphDefs in both forms, SavedModels, bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from typer.testing import CliRunner

from tfpare.cli.app import app
from tfpare.compat.files import TransformOptions, transform
from tfpare.errors import UsageError

FIXTURES = Path(__file__).resolve().parents[1] / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet"
RECIPE = "remove_nodes(op=Identity) fold_constants fold_batch_norms fold_old_batch_norms"


def call(*arguments: object):
    return CliRunner().invoke(app, ["transform", *map(str, arguments)])


@pytest.fixture
def graph(tmp_path) -> Path:
    graph_def = graph_pb2.GraphDef()
    with tf.Graph().as_default() as built:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        tf.identity(tf.nn.relu(tf.identity(x) * (tf.constant(2.0) + 1.0)), name="y")
        graph_def.CopyFrom(built.as_graph_def())
    path = tmp_path / "in.pb"
    path.write_bytes(graph_def.SerializeToString())
    return path


def read(path: Path):
    return graph_pb2.GraphDef.FromString(path.read_bytes())


def test_text_in_and_text_out_hold_the_same_graph(graph, tmp_path):
    as_text = tmp_path / "in.pbtxt"
    as_text.write_text(text_format.MessageToString(read(graph)))
    for source, target, flags in (
        (graph, "a.pb", ()),
        (as_text, "b.pbtxt", ()),
        (graph, "c.pb", ("--output_as_text",)),
    ):
        arguments = ("--in_graph", source, "--out_graph", tmp_path / target, "--inputs", "x", "--outputs", "y")
        done = call(*arguments, "--transforms", "fold_constants", *flags)
        assert done.exit_code == 0, done.output
    wanted = read(tmp_path / "a.pb")
    for name in ("b.pbtxt", "c.pb"):
        assert text_format.Parse((tmp_path / name).read_text(), graph_pb2.GraphDef()) == wanted


def test_an_existing_graph_is_replaced_but_never_the_input(graph, tmp_path):
    target = tmp_path / "out.pb"
    target.write_text("old")
    names = ("--inputs", "x", "--outputs", "y", "--transforms", "fold_constants")
    assert call("--in_graph", graph, "--out_graph", target, *names).exit_code == 0
    assert len(read(target).node) < len(read(graph).node)
    before = graph.read_bytes()
    refused = call("--in_graph", graph, "--out_graph", graph, *names)
    assert refused.exit_code == 2
    assert "would overwrite the input" in refused.output
    assert graph.read_bytes() == before


def test_json_names_every_step(graph, tmp_path):
    names = ("--inputs", "x", "--outputs", "y", "--transforms", "remove_nodes(op=Identity) fold_constants", "--json")
    done = call("--in_graph", graph, "--out_graph", tmp_path / "out.pb", *names)
    report = json.loads(done.stdout)
    assert [s["name"] for s in report["steps"]] == ["remove_nodes", "fold_constants"]
    assert report["ops_before"]["Identity"] > report["ops_after"].get("Identity", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--transforms", "fold_constants"), "--in_graph"),
        (("--transforms", ""), "--transforms"),
        (("--transforms", "fold_constant"), "Did you mean 'fold_constants'"),
        (("--transforms", "fold_constants(exclude=Add)"), "Did you mean 'exclude_op'"),
        (("--transforms", "fold_constants("), "end where"),
    ],
)
def test_wrong_calls(arguments, message, graph, tmp_path):
    files = () if message == "--in_graph" else ("--in_graph", graph, "--out_graph", tmp_path / "out.pb")
    done = call(*files, "--inputs", "x", "--outputs", "y", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "out.pb").exists()


@pytest.mark.parametrize(("side", "name"), [("--inputs", "xx"), ("--outputs", "yy")])
def test_names_that_the_graph_does_not_have(side, name, graph, tmp_path):
    names = {"--inputs": "x", "--outputs": "y"} | {side: name}
    flat = [part for pair in names.items() for part in pair]
    done = call("--in_graph", graph, "--out_graph", tmp_path / "o.pb", *flat, "--transforms", "fold_constants")
    assert done.exit_code == 2
    assert f"Did you mean '{name[0]}'" in done.output


def test_garbage_is_refused(tmp_path):
    path = tmp_path / "in.pb"
    path.write_bytes(b"\x00garbage\xff" * 9)
    names = ("--inputs", "x", "--outputs", "y", "--transforms", "fold_constants")
    done = call("--in_graph", path, "--out_graph", tmp_path / "o.pb", *names)
    assert done.exit_code == 3
    assert "neither a binary nor a text GraphDef" in done.output
    missing = call("--in_graph", tmp_path / "no.pb", "--out_graph", tmp_path / "o.pb", *names)
    assert missing.exit_code == 3
    assert "does not exist" in missing.output


def test_saved_model_keeps_signatures_and_tags(tmp_path):
    golden = np.load(MNIST / "golden.npz")
    manifest = json.loads((MNIST / "manifest.json").read_text())
    out = tmp_path / "out"
    options = TransformOptions(verify=True)
    report = transform(MNIST / "saved_model", out, RECIPE, options)
    assert report.verification is not None
    assert report.verification.ok
    assert "FusedBatchNormV3" not in report.ops_after
    loaded = tf.saved_model.load(str(out), tags=["serve"])
    signature = manifest["signatures"]["serving_default"]
    assert set(loaded.signatures) == set(manifest["signatures"])
    inputs = {k: tf.constant(golden[f"serving_default/in/{k}"]) for k in signature["inputs"]}
    for key, value in loaded.signatures["serving_default"](**inputs).items():
        wanted = golden[f"serving_default/out/{key}"]
        np.testing.assert_allclose(value.numpy(), wanted, atol=1e-5 * np.abs(wanted).max())


def test_saved_model_with_tables_and_assets(tmp_path):
    source = FIXTURES / "tf1_estimator_dnn_text" / "saved_model"
    report = transform(
        source, tmp_path / "out", "remove_nodes(op=Identity) fold_constants", TransformOptions(verify=True)
    )
    assert report.verification is not None
    assert report.verification.ok
    assert (tmp_path / "out" / "assets" / "words.txt").is_file()


def test_saved_model_of_tf2(tmp_path):
    source = FIXTURES / "tf2_keras_mnist" / "saved_model"
    report = transform(source, tmp_path / "out", RECIPE, TransformOptions(verify=True))
    assert report.verification is not None
    assert report.verification.ok


def test_saved_model_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out"
    shutil.copytree(MNIST / "saved_model", out)
    with pytest.raises(UsageError, match="--overwrite"):
        transform(MNIST / "saved_model", out, "fold_constants")
    transform(MNIST / "saved_model", out, "fold_constants", TransformOptions(overwrite=True))
    with pytest.raises(UsageError, match="signatures"):
        transform(MNIST / "saved_model", tmp_path / "o", "fold_constants", TransformOptions(inputs=("x",)))


def test_answers_that_differ_are_not_written(graph, tmp_path):
    files = ("--in_graph", graph, "--out_graph", tmp_path / "out.pb", "--inputs", "x", "--outputs", "y")
    done = call(*files, "--transforms", "rename_op(old_op_name=Relu, new_op_name=Neg)", "--verify")
    assert done.exit_code == 1
    assert not (tmp_path / "out.pb").exists()
