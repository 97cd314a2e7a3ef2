"""The accuracy budget on trained models with planted culprits: it is met, and they are named."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tuning.frozen import answers
from tfpare.api import OptimizeOptions, optimize
from tfpare.data.types import DataOptions
from tfpare.errors import UsageError
from tfpare.quant.options import QuantOptions
from tfpare.tuning import search
from tfpare.tuning.types import Goal

MNIST = Path(__file__).parents[1] / "data" / "fixtures" / "tf1_mnist_convnet"
NAMES = {"input_names": ("images:0",), "output_names": ("probabilities:0",)}


@pytest.fixture(scope="module")
def float_graph(tmp_path_factory):
    """The trained ConvNet, already rewritten in float: convolutions with biases."""
    from tfpare.io.graphdef import read_graphdef

    path = tmp_path_factory.mktemp("float") / "mnist.pb"
    optimize(MNIST / "frozen.pb", path, OptimizeOptions(verify=False, **NAMES))
    return read_graphdef(path)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    with np.load(MNIST / "eval.npz") as data:
        images = data["images"][..., None].astype(np.float32)
        np.savez(path, images=images, labels=data["labels"])
    return path


def scaled(graph_def, factors, tmp_path):
    """The same function with constants multiplied: {node: (axis, channel, factor)}."""
    import tensorflow as tf

    made = type(graph_def)()
    made.CopyFrom(graph_def)
    for node in made.node:
        for axis, channel, factor in factors.get(node.name, ()):
            array = tf.make_ndarray(node.attr["value"].tensor).copy()
            index = [slice(None)] * array.ndim
            index[axis] = channel
            array[tuple(index)] *= np.float32(factor)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    path = tmp_path / "planted.pb"
    path.write_bytes(made.SerializeToString())
    return path


def int8(digits, **more):
    return QuantOptions(data=str(digits), samples=128, batch=32, **more)


def accuracy(path, digits):
    with np.load(digits) as data:
        return float((answers(path, data["images"]).argmax(-1) == data["labels"]).mean())


OUTLIER = {
    # Four channels of conv2's result are a thousand times the others, and the next weights for them a thousandth.
    "conv2/BatchNorm/batchnorm_1/mul_1/fold_mul_into_linear": [(3, k, 1024.0) for k in range(4)],
    "conv2/BatchNorm/batchnorm_1/add_1/replace_add_by_bias_add": [(0, k, 1024.0) for k in range(4)],
    "sepconv3/depthwise_weights/read": [(2, k, 1 / 1024.0) for k in range(4)],
}
GOAL = Goal(max_drop=0.005, metrics=("top1",), output="probabilities")


def test_outlier_channels_meet_the_budget(float_graph, digits, tmp_path):
    planted = scaled(float_graph, OUTLIER, tmp_path)
    options = OptimizeOptions(precision="int8", int8=int8(digits), goal=GOAL, **NAMES)
    report = optimize(planted, tmp_path / "out.pb", options)
    found = report.search
    assert found is not None
    first = next(c for c in found.candidates if c.precision == "int8")
    assert not first.ok, "the planted channel did no harm: the test shows nothing"
    assert found.chosen.precision == "int8"
    assert found.chosen.drop <= 0.005
    assert accuracy(planted, digits) - accuracy(tmp_path / "out.pb", digits) <= 0.005


def test_a_sensitive_layer_is_given_back_and_named(float_graph, digits, tmp_path):
    """Behind Elu a channel cannot be scaled: the layer that reads it has to stay in float."""
    planted = scaled(float_graph, {}, tmp_path)
    planted = stretched(planted, tmp_path)
    options = OptimizeOptions(precision="int8", int8=int8(digits), goal=GOAL, **NAMES)
    report = optimize(planted, tmp_path / "out.pb", options)
    found = report.search
    assert not found.candidates[1].ok, "the offset did no harm: the test shows nothing"
    assert found.chosen.precision == "int8"
    assert found.chosen.drop <= 0.005
    assert "fc5/BatchNorm/batchnorm_1/mul_1" in [one.name for one in found.layers]
    assert all("dB" in one.why for one in found.layers)
    assert accuracy(planted, digits) - accuracy(tmp_path / "out.pb", digits) <= 0.005


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_what_bfloat16_cannot_hold_is_given_back_and_named(float_graph, digits, tmp_path, precision):
    """fc5 reads 4096 and more there, of which bfloat16 knows every 32nd number."""
    planted = stretched(scaled(float_graph, {}, tmp_path), tmp_path)
    options = OptimizeOptions(precision=precision, int8=int8(digits), goal=GOAL, force=True, **NAMES)
    found = optimize(planted, tmp_path / "out.pb", options).search
    halves = [c for c in found.candidates if c.precision == "bf16"]
    assert not halves[0].ok, "the offset did no harm: the test shows nothing"
    assert halves[-1].in_float
    assert any(c.ok for c in halves)
    assert found.chosen.drop is None or found.chosen.drop <= 0.005
    assert accuracy(planted, digits) - accuracy(tmp_path / "out.pb", digits) <= 0.005
    if precision == "bf16":
        assert found.chosen.precision == "bf16"
        names = [one.name for one in found.layers]
        assert "offset" in names or "fc5/BatchNorm/batchnorm_1/mul_1" in names
        assert {one.precision for one in found.layers} == {"float32"}


def stretched(path, tmp_path):
    """A large constant is added to one feature before fc5, and taken away by its bias: 8 bits see that alone."""
    import tensorflow as tf

    from tfpare.io.graphdef import read_graphdef

    graph_def = read_graphdef(path)
    nodes = {n.name: n for n in graph_def.node}
    kernel = tf.make_ndarray(nodes["fc5/BatchNorm/batchnorm_1/mul_1/fold_mul_into_linear"].attr["value"].tensor)
    offset = np.zeros(kernel.shape[0], np.float32)
    offset[::7] = 4096.0
    const = graph_def.node.add(name="offset/value", op="Const")
    const.attr["dtype"].type = tf.float32.as_datatype_enum
    const.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(offset))
    add = graph_def.node.add(name="offset", op="AddV2", input=["Flatten/flatten/Reshape", "offset/value"])
    add.attr["T"].type = tf.float32.as_datatype_enum
    # Nothing is below −100, but that is not known: the offset cannot be folded into fc5's bias.
    least = graph_def.node.add(name="least", op="Const")
    least.CopyFrom(const)
    least.name = "least"
    least.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.float32(-100)))
    limit = graph_def.node.add(name="limit", op="Maximum", input=["offset", "least"])
    limit.attr["T"].type = tf.float32.as_datatype_enum
    nodes["fc5/BatchNorm/batchnorm_1/mul_1"].input[0] = "limit"
    bias = nodes["fc5/BatchNorm/batchnorm_1/add_1/replace_add_by_bias_add"].attr["value"].tensor
    moved = tf.make_ndarray(bias) - (offset.astype(np.float64) @ kernel.astype(np.float64)).astype(np.float32)
    bias.CopyFrom(tf.make_tensor_proto(moved.astype(np.float32)))
    out = tmp_path / "stretched.pb"
    out.write_bytes(graph_def.SerializeToString())
    return out


def test_an_impossible_budget_ends_in_float_with_the_reason(float_graph, digits, tmp_path):
    planted = scaled(float_graph, OUTLIER, tmp_path)
    work, numbered, reference = tmp_path / "work", tmp_path / "numbered.npz", tmp_path / "reference.npz"
    with np.load(digits) as data:
        np.savez(numbered, images=data["images"][:256], labels=np.arange(256))
        np.savez(reference, probabilities=answers(planted, data["images"][:256]))
    command = [sys.executable, "-m", "tfpare", "optimize", str(planted), "-o", str(tmp_path / "out.pb")]
    command += ["--input_names", "images:0", "--output_names", "probabilities:0", "--precision", "int8"]
    command += ["--data", str(numbered), "--calibration-samples", "64", "--max-drop", "0", "--json"]
    command += ["--metric", "tests.tuning.frozen:as_the_reference", "--output-key", "probabilities"]
    command += ["--work-dir", str(work)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "REFERENCE": str(reference)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["search"]
    assert [c["name"] for c in found["candidates"] if c["chosen"]] == ["float32"]
    assert any("does not meet --max-drop 0" in n for n in found["notes"])
    assert json.loads((work / "search.json").read_text())
    assert (tmp_path / "out.pb").is_file()


@pytest.mark.parametrize(("limit", "used", "left"), [(None, 16, None), (20, 8, 12)])
def test_samples_for_calibration_and_judgement_are_apart(float_graph, digits, tmp_path, monkeypatch, limit, used, left):
    seen = []
    monkeypatch.setattr(
        search, "measure_quality", lambda reference, candidate, held, tell: seen.append(held) or _good()
    )
    planted = scaled(float_graph, {}, tmp_path)
    small = tmp_path / "small.npz"
    with np.load(digits) as data:
        np.savez(small, images=data["images"][:40], labels=data["labels"][:40])
    options = OptimizeOptions(
        precision="int8",
        int8=replace(int8(small), batch=8, data_options=DataOptions(offset=4, limit=limit)),
        goal=Goal(),
        verify=False,
        **NAMES,
    )
    optimize(planted, tmp_path / "out.pb", options)
    assert seen
    assert all((h.options.offset, h.options.limit) == (4 + used, left) for h in seen)  # half of them, whole batches


def _good():
    from tfpare.tuning.quality import Quality

    return Quality(0.0, "", "")


def test_a_budget_without_samples_is_refused(float_graph, tmp_path):
    planted = scaled(float_graph, {}, tmp_path)
    with pytest.raises(UsageError, match="give --data"):
        optimize(planted, tmp_path / "out.pb", OptimizeOptions(precision="int8", goal=Goal(), **NAMES))
    with pytest.raises(UsageError, match="at least 0"):
        Goal(max_drop=float("nan"))


def test_auto_without_samples_chooses_among_the_floats(float_graph, tmp_path):
    planted = scaled(float_graph, {}, tmp_path)
    report = optimize(planted, tmp_path / "out.pb", OptimizeOptions(precision="auto", **NAMES))
    assert {c.precision for c in report.search.candidates} == {"keep", "bf16"}
    assert report.search.chosen is not None
    assert any("without --data" in n for n in report.search.notes)
