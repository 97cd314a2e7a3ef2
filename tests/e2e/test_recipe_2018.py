"""The old recipe (freeze, eight transforms, SavedModel) with one new import line, on real models."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "recipe_2018.py"
ESTIMATOR = Path(__file__).resolve().parents[1] / "data" / "fixtures" / "tf1_estimator_dnn_text"
OLD_IMPORT = "from tensorflow.tools.graph_transforms import TransformGraph"


def run_script(*arguments: str) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def answers(saved_model: Path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    return {k: v.numpy() for k, v in signature(**{k: tf.constant(v) for k, v in inputs.items()}).items()}


def test_one_line_of_the_old_script_changed():
    lines = SCRIPT.read_text().splitlines()
    assert f"# was: {OLD_IMPORT}" in lines
    assert [line for line in lines if "tfpare" in line and not line.startswith((" ", '"""'))] == [
        "from tfpare.compat import TransformGraph"
    ]


def test_estimator(tmp_path):
    run_script(str(ESTIMATOR / "saved_model"), str(tmp_path / "out"), "--signature", "predict")
    golden = np.load(ESTIMATOR / "golden.npz", allow_pickle=True)
    examples = np.array([bytes(b) for b in golden["predict/in/examples"]])
    got = answers(tmp_path / "out", examples=examples)
    for key in ("class_ids", "classes", "all_class_ids", "all_classes"):
        np.testing.assert_array_equal(got[key], golden[f"predict/out/{key}"])
    np.testing.assert_allclose(got["probabilities"], golden["predict/out/probabilities"], atol=0.01)  # eight bits
    ops = {n.op for n in tf.compat.v1.GraphDef.FromString(graph_bytes(tmp_path / "out")).node}
    assert {"Dequantize", "QuantizedMatMul"} <= ops


def graph_bytes(saved_model: Path) -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    return proto.meta_graphs[0].graph_def.SerializeToString()


@pytest.mark.slow
def test_inception_v3(tmp_path):
    fixture = Path(os.environ["TFPARE_FIXTURES"]) / "large" / "tf1_inception_v3"
    golden = np.load(fixture / "golden.npz")
    images, wanted = golden["serving_default/in/input"], golden["serving_default/out/logits"]
    run_script(str(fixture / "saved_model"), str(tmp_path / "out"), "--shape", "1,299,299,3")
    got = answers(tmp_path / "out", input=images)["logits"]
    assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.9  # random weights, one range for a whole tensor
    script = runpy.run_path(str(SCRIPT))
    frozen, signature, _, _ = script["freeze"](str(fixture / "saved_model"), "serving_default")
    exact = [t for t in script["transforms_of"]("1,299,299,3") if not t.startswith("quantize")]
    outputs = [info.name for info in signature.outputs.values()]
    transformed = script["TransformGraph"](frozen, ["input"], outputs, exact)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(transformed, name="")
        logits = session.run(signature.outputs["logits"].name, {"input:0": images})
    assert np.abs(logits - wanted).max() <= 3e-5 * np.abs(wanted).max()
