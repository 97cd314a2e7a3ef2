"""`tfpare evaluate`: exit codes, streams, JSON, spellings."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.evaluation.helpers import IMAGES, MNIST, linear_data, save_linear
from tfpare.cli.app import app
from tfpare.cli.data_options import data_options
from tfpare.errors import UsageError


def call(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_report_and_json(tmp_path):
    model, data = save_linear(tmp_path / "model"), linear_data(tmp_path / "a.npz")
    options = ["--metric", "accuracy,auc", "--output", "scores", "--against", model, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tfpare", "evaluate", model, "--data", data, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert [r["metric"] for r in report["results"]] == ["accuracy", "accuracy", "auc", "auc"]
    assert report["paired"][0]["verdict"] == "no loss seen"
    assert done.stderr == ""

    shown = call(model, "--data", data, "--output", "scores", "--against", model, "--metric", "accuracy")
    assert shown.exit_code == 0
    for part in ("0.9000 ±", "same top 1", "no accuracy loss seen on 20 samples", "a.npz, 20 rows", "Wilson"):
        assert part in shown.stdout, part


def test_bad_data_is_exit_code_2(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = call(MNIST / "saved_model", "--data", empty, "--json")
    assert done.exit_code == 2
    assert "There is no picture" in json.loads(done.stdout)["error"]
    assert call(MNIST / "saved_model").exit_code == 2
    assert "Give --data" in call(MNIST / "saved_model").stderr
    assert call(tmp_path / "no-model", "--data", IMAGES).exit_code == 3


def test_options_of_data():
    made = data_options(
        resize="224x192",
        scale="1/255",
        mean="0.5,0.4,0.3",
        std="2",
        channel_order="bgr",
        layout="nchw",
        classes="cat, dog",
        rename=["x=image", "y=other"],
        columns="a,b",
        input_exprs="keep_prob=1.0",
    )
    assert made.resize == (224, 192)
    assert made.scale == 1 / 255
    assert (made.mean, made.std) == ((0.5, 0.4, 0.3), (2.0,))
    assert (made.channel_order, made.layout) == ("BGR", "NCHW")
    assert made.classes == ("cat", "dog")
    assert made.rename == {"x": "image", "y": "other"}
    np.testing.assert_array_equal(made.constants["keep_prob"], 1.0)
    assert data_options(resize="299").resize == (299, 299)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"resize": "big"}, "HEIGHTxWIDTH"),
        ({"resize": "0x3"}, "HEIGHTxWIDTH"),
        ({"scale": "1/0"}, "--scale is a number"),
        ({"mean": "1,x"}, "--mean is a number"),
        ({"classes": "nofile.txt"}, "no file nofile.txt"),
        ({"classes": "a,a"}, "appears twice"),
        ({"rename": ["x"]}, "INPUT=NAME"),
    ],
)
def test_options_that_are_refused(options, says):
    with pytest.raises(UsageError, match=says):
        data_options(**options)


def test_classes_from_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("cat\n\ndog\n")
    assert data_options(classes=str(tmp_path / "names.txt")).classes == ("cat", "dog")
