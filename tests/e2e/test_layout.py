"""`--layout` on whole models: written by Keras and by hand in NCHW, with branches, as SavedModel and frozen graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from tfpare.api import OptimizeOptions, OptimizeReport, optimize
from tfpare.cli.app import app
from tfpare.io.read import ReadOptions, read
from tfpare.ir.graph import Node


def convert(source: Path, target: Path, layout: str = "NHWC") -> tuple[OptimizeReport, list[Node]]:
    """Optimizes, which proves the answers, and reads the nodes back."""
    report = optimize(source, target, OptimizeOptions(layout=layout))
    assert report.verification is not None
    assert report.verification.ok
    return report, nodes_of(target)


def nodes_of(path: Path) -> list[Node]:
    """Of the first of the equal functions that a SavedModel holds, and of its branches."""
    model = read(path, ReadOptions())[0]
    model.graphs[:] = model.graphs[:1]
    return [n for g in model.all_graphs() for n in g]


def layouts(nodes: list[Node]) -> set[str]:
    return {str(n["data_format"]) for n in nodes if n.get("data_format", None) is not None}


def transposes(nodes: list[Node]) -> list[Node]:
    return [n for n in nodes if n.op == "Transpose"]


class Net(tf.Module):
    """What the test networks share; weights are drawn once."""

    def __init__(self, head, branches=False):
        super().__init__()
        self.rng, self.weights = np.random.default_rng(0), {}
        self.head, self.branches = head, branches
        spec = tf.TensorSpec([None, 3, 16, 16], tf.float32, name="image")
        self.serve = tf.function(self.call, input_signature=[spec])
        self.serve.get_concrete_function()

    def weight(self, name, *shape):
        if name not in self.weights:
            self.weights[name] = tf.Variable(self.rng.normal(0, 0.2, shape).astype(np.float32), name=name)
        return self.weights[name]

    def conv(self, x, name, channels, size=3, stride=1):
        kernel = self.weight(name, size, size, x.shape[1], channels)
        y = tf.nn.conv2d(x, kernel, [1, 1, stride, stride], "SAME", data_format="NCHW")
        scale, mean = self.weight(f"{name}/scale", channels), self.weight(f"{name}/mean", channels)
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(
            y, scale, mean, mean, tf.exp(mean), is_training=False, data_format="NCHW"
        )
        return tf.nn.relu(y)

    def residual(self, x, name, channels, stride):
        y = self.conv(self.conv(x, f"{name}/a", channels, 3, stride), f"{name}/b", channels)
        short = x if stride == 1 else self.conv(x, f"{name}/c", channels, 1, stride)
        return tf.nn.relu(y + short)

    def inception(self, x, name):
        pooled = tf.nn.avg_pool2d(x, [1, 1, 3, 3], 1, "SAME", data_format="NCHW")
        parts = [self.conv(x, f"{name}/a", 4, 1), self.conv(x, f"{name}/b", 6), self.conv(pooled, f"{name}/c", 2, 1)]
        return tf.concat(parts, 1)

    def branch(self, x):
        return tf.cond(
            tf.reduce_sum(x) > 0, lambda: self.conv(self.conv(x, "t", 6), "t2", 6), lambda: self.conv(x, "f", 6)
        )

    def call(self, image):
        x = tf.pad(image, [[0, 0], [0, 0], [1, 1], [1, 1]])
        x = self.conv(x, "stem", 6, 3, 2)
        x = tf.nn.max_pool2d(x, [1, 1, 3, 3], [1, 1, 2, 2], "SAME", data_format="NCHW")
        x = self.residual(self.residual(x, "r1", 6, 1), "r2", 8, 2)
        x = self.inception(x, "i")
        x = tf.nn.bias_add(x, self.weight("bias", x.shape[1]), data_format="NCHW")
        if self.branches:
            x = self.branch(x)
        if self.head == "map":
            return {"y": x}
        flat = tf.reduce_mean(x, [2, 3]) if self.head == "mean" else tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])
        if self.head == "squeeze":
            flat = tf.squeeze(tf.reduce_max(x, [2, 3], keepdims=True), [2, 3])
        return {"y": flat @ self.weight("dense", flat.shape[1], 3)}


def save(net: Net, path: Path) -> Path:
    tf.saved_model.save(net, str(path), signatures=net.serve)
    return path


@pytest.mark.parametrize(("head", "expected"), [("mean", 1), ("squeeze", 1), ("flatten", 2), ("map", 2)])
def test_in_a_convnet_only_the_transposes_at_its_borders_are_left(tmp_path, head, expected):
    report, nodes = convert(save(Net(head), tmp_path / "net"), tmp_path / "out")
    assert layouts(nodes) == {"NHWC"}
    assert len(transposes(nodes)) == expected
    assert not any(n.op.startswith("FusedBatchNorm") for n in nodes)
    assert f"layout NHWC: the model had 0 Transpose ops and now has {expected}" in report.notes
    step = next(s for s in report.steps if s.name == "convert_layout")
    stays = {r for r in step.declined if "stays" in r}
    assert stays == ({"a Transpose stays before Reshape: it reads elements in their order"} & stays)
    assert bool(stays) == (head == "flatten")


def test_there_and_back(tmp_path):
    convert(save(Net("map"), tmp_path / "net"), tmp_path / "last")
    _, nodes = convert(tmp_path / "last", tmp_path / "first", "NCHW")
    assert layouts(nodes) == {"NCHW"}
    assert transposes(nodes) == []


def test_branches_are_converted_on_their_own(tmp_path):
    _, nodes = convert(save(Net("mean", branches=True), tmp_path / "net"), tmp_path / "out")
    assert any(n.op in ("If", "StatelessIf") for n in nodes)
    assert layouts(nodes) == {"NHWC"}
    assert len(transposes(nodes)) == 1 + 1 + 2 + 2  # at the image, before the If, and at both ends of each branch


def test_a_keras_model_of_channels_first(tmp_path):
    """Keras itself writes Transposes around what CPUs do not run."""
    import keras

    layers = keras.layers
    keras.config.set_image_data_format("channels_first")
    try:
        image = keras.Input((3, 16, 16))
        x = layers.ReLU()(
            layers.BatchNormalization(axis=1)(layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(1)(image)))
        )
        y = layers.BatchNormalization(axis=1)(layers.DepthwiseConv2D(3, padding="same")(layers.MaxPooling2D(2)(x)))
        pooled = layers.GlobalAveragePooling2D(keepdims=True)(y)
        y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="sigmoid")(pooled)])
        y = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(y)
        merged = layers.Concatenate(axis=1)([x, y])
        model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(merged))))
        model.export(tmp_path / "net", verbose=False)
    finally:
        keras.config.set_image_data_format("channels_last")
    _, nodes = convert(tmp_path / "net", tmp_path / "out", "auto")
    assert layouts(nodes) == {"NHWC"}
    assert [n.inputs[0].node.op for n in transposes(nodes)] == ["_Arg"]


def test_outputs_of_a_frozen_graph_keep_their_names_and_layout(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3, 8, 8], name="x")
        kernel = tf.constant(np.random.default_rng(0).normal(0, 1, [3, 3, 3, 4]).astype(np.float32))
        y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME", data_format="NCHW"), name="y")
        tf.nn.max_pool2d(y, 2, 2, "VALID", data_format="NCHW", name="z")
        tf.split(y, 2, 1, name="halves")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    names = ("y:0", "z:0", "halves:1")
    options = OptimizeOptions(layout="NHWC", input_names=("x:0",), output_names=names)
    report = optimize(tmp_path / "net.pb", tmp_path / "out.pb", options)
    assert report.verification.ok
    graph_def = tf.compat.v1.GraphDef.FromString((tmp_path / "out.pb").read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        got = session.run(list(names), {"x:0": np.ones([2, 3, 8, 8], np.float32)})
    assert [g.shape for g in got] == [(2, 4, 8, 8), (2, 4, 4, 4), (2, 2, 8, 8)]


def test_command_line_and_recipe(tmp_path):
    save(Net("mean"), tmp_path / "net")
    call = CliRunner().invoke
    assert call(app, ["optimize", str(tmp_path / "net"), "-o", str(tmp_path / "a"), "--layout", "nhwc"]).exit_code == 0
    (tmp_path / "r.toml").write_text('layout = "NHWC"\n')
    recipe = ["--recipe", str(tmp_path / "r.toml")]
    assert call(app, ["optimize", str(tmp_path / "net"), "-o", str(tmp_path / "b"), *recipe]).exit_code == 0
    for out in ("a", "b"):
        assert layouts(nodes_of(tmp_path / out)) == {"NHWC"}
    refused = call(app, ["optimize", str(tmp_path / "net"), "-o", str(tmp_path / "c"), "--layout", "NCWH"])
    assert refused.exit_code == 2
    exact = call(app, ["optimize", str(tmp_path / "net"), "-o", str(tmp_path / "c"), *recipe, "--preset", "exact"])
    assert exact.exit_code == 2
    shown = call(app, ["explain", "convert-layout"])
    assert "minimum cut" in " ".join(shown.output.split())


def test_a_model_that_the_cpu_runs_in_one_layout_alone_is_proven_with_other_kernels(tmp_path):
    """Without oneDNN TensorFlow has no kernels for NCHW: the original cannot answer there, the result can."""
    source, target = save(Net("mean"), tmp_path / "model"), tmp_path / "out"
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, "-m", "tfpare", "optimize", source, "-o", target, "--layout", "NHWC", "--json"]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=True)
    proof = json.loads(done.stdout)["verification"]
    assert proof["ok"]
    assert any("switched the other way" in note for note in proof["notes"])
    code = "import sys, numpy as np, tensorflow as tf\n"
    code += "call = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
    code += "call(image=tf.zeros([2, 3, 16, 16]))"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run([*command, str(p)], env=environment, capture_output=True) for p in (source, target)]
    assert runs[0].returncode != 0
    assert runs[1].returncode == 0
