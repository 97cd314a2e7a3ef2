"""`freeze_graph` and `optimize_for_inference` with their old arguments, also from scripts without eager execution."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.compat.helpers import ops
from tfpare.compat import freeze_graph, optimize_for_inference
from tfpare.errors import UnsupportedModel, UsageError

v1 = tf.compat.v1
FIXTURES = Path(__file__).resolve().parents[1] / "data" / "fixtures"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, np.ndarray, np.ndarray]:
    """A folder with a graph as text, a meta graph and a checkpoint, and one input with its answer."""
    folder = tmp_path_factory.mktemp("trained")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        with tf.device("/CPU:0"):
            kernel = v1.get_variable("kernel", [3, 3, 3, 4], use_resource=False)
            bias = v1.get_variable("bias", [4], use_resource=True)
            v1.get_variable("unused", [3])
        conv = tf.nn.conv2d(x, kernel, 1, "SAME") + bias
        ones = [tf.constant(np.linspace(0.5, 1.5, 4), tf.float32) for _ in range(4)]
        normed = v1.nn.fused_batch_norm(conv, *ones, is_training=False)[0]
        y = tf.identity(tf.nn.relu(normed), "y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "model"))
        v1.train.write_graph(session.graph_def, str(folder), "graph.pbtxt")
        images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
        return folder, images, session.run(y, {x: images})


def frozen(folder: Path, **changes):
    arguments = {
        "input_graph": str(folder / "graph.pbtxt"),
        "input_saver": "",
        "input_binary": False,
        "input_checkpoint": str(folder / "model"),
        "output_node_names": "y",
        "restore_op_name": "save/restore_all",
        "filename_tensor_name": "save/Const:0",
        "output_graph": "",
        "clear_devices": False,
        "initializer_nodes": "",
    }
    return freeze_graph(**{**arguments, **changes})


def answer(graph_def, images):
    with tf.Graph().as_default(), v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run("y:0", {"x:0": images})


def test_freezes_graph_and_checkpoint(trained, tmp_path):
    folder, images, wanted = trained
    result = frozen(folder, output_graph=str(tmp_path / "out.pb"), clear_devices=True)
    assert (tmp_path / "out.pb").read_bytes() == result.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(answer(result, images), wanted)
    assert not {"VariableV2", "VarHandleOp", "SaveV2"} & set(ops(result))
    assert not any(n.device for n in result.node)


def test_freezes_a_meta_graph_and_a_saved_model(trained):
    folder, images, wanted = trained
    result = frozen(folder, input_graph=None, input_meta_graph=str(folder / "model.meta"))
    np.testing.assert_array_equal(answer(result, images), wanted)
    mnist = FIXTURES / "tf1_mnist_convnet" / "saved_model"
    from_saved_model = frozen(
        folder,
        input_graph=None,
        input_checkpoint=None,
        input_saved_model_dir=str(mnist),
        output_node_names="probabilities",
    )
    assert {"Conv2D", "Const"} <= set(ops(from_saved_model))
    assert not {"VariableV2", "VarHandleOp"} & set(ops(from_saved_model))


def test_lists_of_variables(trained):
    folder, *_ = trained
    left = ops(frozen(folder, variable_names_denylist="bias"))
    assert (left["VarHandleOp"], left["VariableV2"]) == (1, 0)
    assert ops(frozen(folder, variable_names_blacklist="kernel"))["VariableV2"] == 1
    assert ops(frozen(folder, variable_names_whitelist="kernel"))["VarHandleOp"] == 1


def test_what_cannot_be_frozen_is_said(trained, tmp_path):
    folder, *_ = trained
    with pytest.raises(UsageError, match="Did you mean 'y'"):
        frozen(folder, output_node_names="yy")
    with pytest.raises(UsageError, match="input_checkpoint"):
        frozen(folder, input_checkpoint=None)
    with pytest.raises(UnsupportedModel, match="missing"):
        frozen(folder, input_checkpoint=str(tmp_path / "none"))


def test_optimizes_for_inference(trained):
    folder, images, wanted = trained
    graph_def = frozen(folder)
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    result = optimize_for_inference(graph_def, ["x"], ["y"], tf.float32.as_datatype_enum)
    assert graph_def == copy
    np.testing.assert_allclose(answer(result, images), wanted, atol=1e-5 * np.abs(wanted).max())
    assert set(ops(result)) == {"Placeholder", "Const", "Conv2D", "BiasAdd", "Relu"}


def test_placeholders_for_computed_inputs_and_defaults():
    with tf.Graph().as_default() as graph:
        text = v1.placeholder(tf.string, [None], "text")
        numbers = tf.identity(tf.strings.to_number(text), "numbers")
        rate = v1.placeholder_with_default(2.0, [], "rate")
        tf.identity(numbers * rate, "y")
    types = [tf.float32.as_datatype_enum]
    result = optimize_for_inference(
        graph.as_graph_def(), ["numbers"], ["y"], types, placeholder_to_const_names=["rate"]
    )
    assert ops(result)["Placeholder"] == 1
    assert "PlaceholderWithDefault" not in ops(result)
    with tf.Graph().as_default(), v1.Session() as session:
        tf.graph_util.import_graph_def(result, name="")
        assert session.run("y:0", {"numbers:0": [3.0]}) == [6.0]
    with pytest.raises(UsageError, match="1 types for 2 inputs"):
        optimize_for_inference(graph.as_graph_def(), ["numbers", "rate"], ["y"], types)
    with pytest.raises(UsageError, match="Did you mean 'rate'"):
        optimize_for_inference(graph.as_graph_def(), ["numbers"], ["y"], types, placeholder_to_const_names=["rat"])


def test_works_where_eager_execution_is_off(trained):
    folder, *_ = trained
    script = f"""
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from tfpare.compat import TransformGraph, freeze_graph
frozen = freeze_graph({str(folder / "graph.pbtxt")!r}, "", False, {str(folder / "model")!r}, "y", "", "", "", True, "")
with tf.Graph().as_default(), tf.Session():
    folded = TransformGraph(frozen, ["x"], ["y"], ["fold_constants", "fold_batch_norms", "fold_old_batch_norms"])
    print([n.op for n in folded.node])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "FusedBatchNorm" not in done.stdout
