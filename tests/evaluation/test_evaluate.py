"""Whole evaluations of real models."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import tfpare
from tests.data_sets.helpers import png
from tests.evaluation.helpers import FIXTURES, IMAGES, MNIST, linear_data, plant_loss, save_linear
from tfpare.data.types import DataError, DataOptions
from tfpare.errors import TfpareError, UsageError
from tfpare.evaluation.types import EvaluateOptions
from tfpare.io.examples import serialize
from tfpare.io.records import write
from tfpare.to_json import to_json


def run(model, data, *metrics, reading=None, **options):
    return tfpare.evaluate(model, data, EvaluateOptions(metrics=metrics, data=reading or DataOptions(), **options))


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear")
    return save_linear(folder / "model"), linear_data(folder / "data.npz")


def test_accuracy_of_a_trained_model():
    report = run(MNIST / "saved_model", IMAGES, "top1", "top5")
    assert (report.metric, report.value, report.samples, report.skipped) == ("top1", 0.99, 1000, 0)
    assert 0.981 < report.interval.low < 0.99 < report.interval.high < 0.995
    assert report.results[1].value > 0.99
    assert (report.output, report.signature) == ("probabilities", "serving_default")
    assert report.data == "eval.npz, 1000 rows of images, labels"
    assert json.dumps(to_json(report), allow_nan=False)


def test_the_same_samples_in_every_form_give_the_same_figures(tmp_path):
    with np.load(IMAGES) as arrays:
        images, numbers = arrays["images"][:60], arrays["labels"][:60]
    np.savez(tmp_path / "a.npz", images=images, labels=numbers)
    records = []
    for k, (image, label) in enumerate(zip(images, numbers, strict=True)):
        folder = tmp_path / "folders" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{k}.png").write_bytes(png(image[:, :, np.newaxis]))
        records.append(
            serialize(
                {
                    "image/encoded": np.array([png(image[:, :, np.newaxis])], object),
                    "image/class/label": np.array([label]),
                }
            )
        )
    write(tmp_path / "a.tfrecord", records)

    def samples():
        for image, label in zip(images, numbers, strict=True):
            yield {"images": image.astype(np.float32), "label": label}

    sources = (tmp_path / "a.npz", tmp_path / "folders", tmp_path / "a.tfrecord", samples)
    found = {run(MNIST / "frozen.pb", s, "top1", output_names=("probabilities:0",)).value for s in sources}
    assert len(found) == 1
    assert found.pop() > 0.95


def test_two_equal_models():
    report = run(MNIST / "saved_model", IMAGES, "top1", against=MNIST / "frozen.pb", batch_size=100)
    by_output = {a.output: a for a in report.agreement}
    assert by_output["probabilities"].top1 == by_output["classes"].top1 == 1.0
    assert by_output["probabilities"].max_abs < 1e-5
    assert by_output["probabilities"].samples == 1000
    test = report.paired[0]
    assert (test.verdict, test.lost, test.gained, test.p_value) == ("no loss seen", 0, 0, 1.0)
    assert [r.model for r in report.results] == [MNIST / "saved_model", MNIST / "frozen.pb"]


def test_a_planted_loss_is_found(tmp_path):
    worse = plant_loss(tmp_path / "worse.pb", every=50)
    report = run(MNIST / "saved_model", IMAGES, "top1", against=worse)
    test = report.paired[0]
    assert test.verdict == "loss"
    assert -0.04 < test.difference < -0.01
    assert test.lost > 10
    assert test.gained == 0
    named = {"output_names": ("probabilities:0",)}
    back = run(worse, IMAGES, "top1", against=MNIST / "frozen.pb", **named).paired[0]
    assert (back.verdict, back.difference) == ("gain", -test.difference)


def test_agreement_needs_no_labels(linear, tmp_path):
    model, data = linear
    other = save_linear(tmp_path / "other", seed=3)
    report = tfpare.evaluate(model, data, EvaluateOptions(against=other))
    assert report.results == report.paired == []
    assert {a.output for a in report.agreement} == {"scores", "one"}
    assert report.agreement[-1].top1 < 1
    assert report.notes == ["the output 'total' has no value for each sample: left out"]


def test_numbers_and_rankings(linear, tmp_path):
    model, data = linear
    report = run(model, data, "mse", output="one", reading=DataOptions(label_key="one"))
    assert report.value == pytest.approx(0.25, rel=1e-5)
    assert not report.results[0].higher_is_better
    report = run(model, data, "auc", "accuracy", output="scores")
    assert 0.5 < report.value < 1
    assert report.results[1].value == 0.9
    only_one = tmp_path / "one.npz"
    np.savez(only_one, x=np.zeros((3, 3), np.float32), label=[1, 1, 1])
    assert run(model, only_one, "auc", output="one").results[0].note.startswith("all samples are positive")


def test_models_of_a_fixed_batch_get_full_batches(linear, tmp_path):
    model, data = linear
    fixed = save_linear(tmp_path / "fixed", batch=8)
    report = run(fixed, data, "accuracy", output="scores", against=model)
    assert (report.batch_size, report.samples, report.value) == (8, 20, 0.9)
    assert next(a for a in report.agreement if a.output == "scores").max_abs < 1e-6


def test_text_classifier_with_a_constant_input():
    folder = FIXTURES / "tf1_shallow_cnn_text"
    reading = DataOptions(constants={"keep_prob": np.float32(1)})
    report = run(folder / "saved_model", folder / "eval.npz", "top1", reading=reading)
    with np.load(folder / "eval.npz") as arrays:
        assert report.samples == len(arrays["labels"])
    assert report.value > 0.9
    with pytest.raises(DataError, match="'keep_prob' takes one value for all samples: give --input_exprs"):
        run(folder / "saved_model", folder / "eval.npz", "top1")


def test_strings_and_serialized_examples_agree(tmp_path):
    folder = FIXTURES / "tf1_estimator_dnn_text"
    options = {"output": "probabilities", "signature": "raw:predict", "positive_class": 2}
    strings = run(folder / "saved_model", folder / "eval.npz", "top1", "auc", **options)
    with np.load(folder / "eval.npz") as arrays:
        rows = zip(arrays["body"], arrays["subject"], arrays["label"], strict=True)
        examples = [
            serialize({"body": np.array([b], object), "subject": np.array([s], object), "label": np.array([int(y)])})
            for b, s, y in rows
        ]
    write(tmp_path / "mails.tfrecord", examples)
    options["signature"] = "predict"
    parsed = run(folder / "saved_model", tmp_path / "mails.tfrecord", "top1", "auc", **options)
    assert [r.value for r in strings.results] == [r.value for r in parsed.results]
    assert strings.value > 0.9
    assert "serialized tf.Examples" in parsed.data


def test_the_second_models_other_names(linear, tmp_path):
    """Keys are matched by place where no name is shared."""
    import tensorflow as tf

    model, data = linear
    loaded = tf.saved_model.load(str(model))
    module = tf.Module()
    module.loaded = loaded

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="features")])
    def call(features):
        out = loaded.signatures["serving_default"](x=features)
        return {f"output_{k}": out[name] for k, name in enumerate(sorted(out))}

    tf.saved_model.save(module, str(tmp_path / "renamed"), signatures=call)
    report = tfpare.evaluate(model, data, EvaluateOptions(against=tmp_path / "renamed"))
    assert all(a.max_abs < 1e-6 for a in report.agreement)


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_bad_samples_are_counted(tmp_path):
    with np.load(IMAGES) as arrays:
        images, numbers = arrays["images"][:40].astype(np.float32), arrays["labels"][:40]
    images[3] = np.nan
    images[17, 0, 0] = np.nan
    np.savez(tmp_path / "a.npz", images=images, labels=numbers)
    with pytest.raises(DataError, match=r"a.npz row 3: the value for 'images' holds NaN"):
        run(MNIST / "saved_model", tmp_path / "a.npz", "top1")
    report = run(MNIST / "saved_model", tmp_path / "a.npz", "top1", reading=DataOptions(skip_bad=2))
    assert (report.samples, report.skipped) == (38, 2)
    assert [re.search(r"row \d+", m)[0] for m in report.skipped_samples] == ["row 3", "row 17"]
    images[:] = np.nan
    np.savez(tmp_path / "b.npz", images=images, labels=numbers)
    with pytest.raises(DataError, match=r"None of the samples of b.npz"):
        run(MNIST / "saved_model", tmp_path / "b.npz", "top1", reading=DataOptions(skip_bad=100))


def test_a_generator_that_raises_in_mid_epoch():
    def broken():
        for _ in range(50):
            yield {"images": np.zeros((28, 28, 1), np.float32), "label": 0}
        raise OSError("the share is gone")

    with pytest.raises(DataError, match="broken raised OSError at item 50: the share is gone"):
        run(MNIST / "saved_model", broken, "top1")


def test_refused_samples_are_named(tmp_path):
    ids = np.zeros((40, 64), np.int32)
    ids[37, 5] = 10**6
    np.savez(tmp_path / "a.npz", token_ids=ids, label=np.zeros(40, np.int32))
    with pytest.raises(TfpareError, match=r"a.npz row 32 to a.npz row 39"):
        run(FIXTURES / "tf2_bert_tiny" / "saved_model", tmp_path / "a.npz", "top1", output="logits")


@pytest.mark.parametrize(
    ("metrics", "options", "says"),
    [
        ((), {}, "nothing to evaluate"),
        (("top1",), {"engine": "spark"}, "local or ray"),
        (("top1",), {"shards": 3}, "for --engine ray"),
        (("top1",), {"output": "score"}, "Did you mean 'scores'"),
        (("top3",), {}, "no metric 'top3'"),
        (("top1",), {"signature": "nope"}, "no signature 'nope'"),
        (("mse",), {"output": "total"}, "no value for each sample"),
        (("top5",), {"output": "one"}, "needs class scores"),
    ],
)
def test_refuses(linear, metrics, options, says):
    model, data = linear
    with pytest.raises(UsageError, match=says):
        run(model, data, *metrics, **options)


def test_labels_are_asked_for(linear, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match="no label; say which of these it is with --label-key: 'x'"):
        run(linear[0], tmp_path / "a.npz", "top1")
