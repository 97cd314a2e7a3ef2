"""Trained models in 8 bits: accuracy, drop-in, files, what fails without oneDNN."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfpare.api import OptimizeOptions, optimize
from tfpare.errors import UsageError
from tfpare.quant.options import QuantOptions
from tfpare.verifier import VerifyOptions

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
MODELS = {
    "tf1_mnist_convnet": ("saved_model", "serving_default", "images", "probabilities"),
    "tf2_keras_mnist": ("saved_model", "serving_default", "image", "output_0"),
}


def digits():
    with np.load(FIXTURES / "tf1_mnist_convnet" / "eval.npz") as data:
        return data["images"][..., None].astype(np.float32), data["labels"]


def answers(path, name, images):
    import tensorflow as tf

    _, signature, key, output = MODELS[name]
    loaded = tf.saved_model.load(str(path))
    call = loaded.signatures[signature]
    return call(**{key: tf.constant(images)})[output].numpy()


def samples(tmp_path, name, images):
    path = tmp_path / "samples.npz"
    np.savez(path, **{MODELS[name][2]: images})
    return str(path)


def convert(tmp_path, name, int8, **options):
    out = tmp_path / "out"
    report = optimize(
        FIXTURES / name / MODELS[name][0], out, OptimizeOptions(precision="int8", int8=int8, overwrite=True, **options)
    )
    return out, report


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("calibration", ["minmax", "mse"])
def test_a_trained_model_keeps_its_accuracy(tmp_path, name, calibration):
    images, labels = digits()
    int8 = QuantOptions(data=samples(tmp_path, name, images[:64]), calibration=calibration, ends="int8")
    out, report = convert(tmp_path, name, int8)
    assert any("layers compute in 8 bits" in n for n in report.notes)
    before, after = (answers(p, name, images).argmax(-1) for p in (FIXTURES / name / MODELS[name][0], out))
    assert (before == labels).mean() > 0.97
    assert (before == labels).mean() - (after == labels).mean() <= 0.003
    assert (before == after).mean() >= 0.99
    assert report.verification.ok


def test_the_ends_are_in_float_unless_asked_for(tmp_path):
    images, _ = digits()
    _, report = convert(
        tmp_path, "tf1_mnist_convnet", QuantOptions(data=samples(tmp_path, "tf1_mnist_convnet", images[:8]))
    )
    step = next(s for s in report.steps if s.name == "compute_in_int8")
    assert step.declined["the first layer"] == 1
    assert step.declined["the last layer"] == 1
    assert report.after.weight_bytes < 0.3 * report.before.weight_bytes


def without_onednn(path, name, tmp_path, images):
    """Answers of a process whose TensorFlow has oneDNN switched off."""
    np.save(tmp_path / "images.npy", images)
    code = (
        "import numpy as np, tensorflow as tf\n"
        f"f = tf.saved_model.load({str(path)!r}).signatures['serving_default']\n"
        f"y = f(**{{{MODELS[name][2]!r}: tf.constant(np.load('images.npy'))}})[{MODELS[name][3]!r}]\n"
        "np.save('answers.npy', y.numpy())"
    )
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, check=True)
    return np.load(tmp_path / "answers.npy")


@pytest.mark.parametrize("portable", [False, True])
def test_it_runs_with_onednn_switched_off(tmp_path, portable):
    name = "tf2_keras_mnist"
    images, _ = digits()
    int8 = QuantOptions(data=samples(tmp_path, name, images[:32]), ends="int8", portable=portable)
    out, report = convert(tmp_path, name, int8)
    assert any("built with oneDNN" in n for n in report.notes) != portable
    before = answers(FIXTURES / name / "saved_model", name, images[:200])
    after = without_onednn(out, name, tmp_path, images[:200])
    assert (before.argmax(-1) == after.argmax(-1)).mean() >= 0.99


@pytest.mark.parametrize("name", MODELS)
def test_weights_only_needs_no_data(tmp_path, name):
    images, _ = digits()
    out, report = convert(tmp_path, name, QuantOptions())
    assert any("weights are stored in 8 bits" in n for n in report.notes)
    assert report.after.weight_bytes < 0.45 * report.before.weight_bytes
    before, after = (answers(p, name, images[:200]).argmax(-1) for p in (FIXTURES / name / MODELS[name][0], out))
    assert (before == after).mean() >= 0.99


def test_preset_exact_refuses(tmp_path):
    with pytest.raises(UsageError, match="preset 'exact'"):
        convert(tmp_path, "tf2_keras_mnist", QuantOptions(), preset="exact")


def test_a_tolerance_is_the_users(tmp_path):
    name = "tf2_keras_mnist"
    images, _ = digits()
    int8 = QuantOptions(data=samples(tmp_path, name, images[:8]))
    _, report = convert(tmp_path, name, int8, verification=VerifyOptions(tolerance=0.9))
    assert report.verification.ok
