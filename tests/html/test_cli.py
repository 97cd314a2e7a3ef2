"""`optimize --report`, `report` and `view` from the command line."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tfpare.netron
from tests.html import runs
from tfpare.cli.app import app
from tfpare.errors import UnsupportedModel
from tfpare.netron import model_file
from tfpare.to_json import to_json

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet" / "saved_model"


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_optimize_writes_a_page_and_its_json_gives_the_same_page(tmp_path):
    page, out = tmp_path / "r.html", tmp_path / "out"
    done = call("optimize", MNIST, "-o", out, "--report", page, "--no-benchmark", "--json")
    assert done.exit_code == 0, done.stderr
    text = page.read_text()
    for part in ("serving_default", "fold_", "Node by node", "The run holds no measured times"):
        assert part in text
    run = json.loads(done.stdout)
    assert run["records"][0]["commits"]
    assert run["command"].startswith("tfpare")
    (tmp_path / "run.json").write_text(done.stdout)
    again = call("report", tmp_path / "run.json", "-o", tmp_path / "again.html", "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["bytes"] == (tmp_path / "again.html").stat().st_size
    assert (tmp_path / "again.html").read_text() == text


def test_the_page_of_optimize_has_measured_times(tmp_path):
    page = tmp_path / "r.html"
    done = call("optimize", MNIST, "-o", tmp_path / "out", "--report", page)
    assert done.exit_code == 0, done.stderr
    text = page.read_text()
    for part in ("Latency of warm calls", "Time by op", "Latency, median", "TensorFlow"):
        assert part in text


def test_what_cannot_be_measured_is_a_note(monkeypatch):
    from tfpare.api_types import OptimizeOptions
    from tfpare.html import timing

    def refuse(*models, options, progress):
        raise UnsupportedModel("no kernel")

    monkeypatch.setattr(timing, "benchmark", refuse)
    report = runs.small(times=False)
    timing.measure_briefly(report, OptimizeOptions(), lambda step, share: None)
    assert "times were not measured: no kernel" in report.notes


def test_a_page_that_exists_is_refused_before_any_work(tmp_path):
    page = tmp_path / "r.html"
    page.write_text("mine")
    done = call("optimize", MNIST, "-o", tmp_path / "out", "--report", page)
    assert (done.exit_code, "--overwrite" in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    run = tmp_path / "run.json"
    run.write_text(json.dumps(to_json(runs.small())))
    assert call("report", run, "-o", page).exit_code == 2
    assert page.read_text() == "mine"
    assert call("report", run, "-o", page, "--overwrite").exit_code == 0
    assert "<!doctype html>" in page.read_text()


def test_a_benchmark_joins_the_page(tmp_path):
    run, times, page = tmp_path / "run.json", tmp_path / "b.json", tmp_path / "r.html"
    run.write_text(json.dumps(to_json(runs.small(times=False))))
    times.write_text(json.dumps(to_json(runs.benchmark())))
    assert call("report", run, "--benchmark", times, "-o", page).exit_code == 0
    assert "2.00× faster" in page.read_text()


def test_several_reports_make_one_page(tmp_path):
    made = {"run": runs.small(times=False), "compare": runs.comparison(), "evaluate": runs.evaluation()}
    for name, one in made.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(to_json(one)))
    files = [tmp_path / f"{name}.json" for name in made]
    assert call("report", *files, "-o", tmp_path / "r.html").exit_code == 0
    page = (tmp_path / "r.html").read_text()
    for part in ("fold_mul_into_linear", "2.00× faster", "top1 loss on 1,280 samples", "tfpare evaluate models/net"):
        assert part in page, part
    twice = call("report", files[1], files[1], "-o", tmp_path / "two.html")
    assert (twice.exit_code, "one report of each kind" in twice.stderr) == (2, True)
    assert not (tmp_path / "two.html").exists()


def test_compare_and_evaluate_write_pages(tmp_path):
    data = MNIST.parent / "eval.npz"
    page, short = tmp_path / "r.html", ("--repeats", 1, "--min-seconds", 0, "--min-runs", 2)
    options = ("--data", data, "--limit", 64, "--metric", "top1", "--report", page)
    done = call("compare", MNIST, MNIST, *options, *short, "--json")
    assert done.exit_code == 0, done.stderr
    for part in (
        "Agreement of the two models",
        "no top1 loss seen on 64 images",
        "Latency of warm calls",
        "TensorFlow",
    ):
        assert part in page.read_text(), part
    (tmp_path / "compare.json").write_text(done.stdout)
    assert call("report", tmp_path / "compare.json", "-o", tmp_path / "again.html").exit_code == 0
    assert (tmp_path / "again.html").read_text() == page.read_text()

    refused = call("evaluate", MNIST, *options)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (2, True)
    done = call("evaluate", MNIST, *options, "--overwrite", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["command"].startswith("tfpare")
    assert "Evaluation" in page.read_text()
    assert "Latency" not in page.read_text().split("<script")[0]


def test_a_recipe_may_ask_for_a_page(tmp_path):
    from tfpare.recipe import make_recipe, read_recipe

    recipe = tmp_path / "r.toml"
    recipe.write_text('report = "page.html"\nbenchmark = false\n')
    made = make_recipe(read_recipe(recipe), "r.toml")
    assert (made.report, made.benchmark) == (tmp_path / "page.html", False)
    assert (made.options().record, made.options().compare_layers) == (True, True)


def test_view_needs_netron(monkeypatch):
    monkeypatch.setattr(tfpare.netron.importlib.util, "find_spec", lambda name: None)
    done = call("view", MNIST)
    assert done.exit_code == 2
    assert "pip install netron" in done.stderr


@pytest.mark.parametrize("code", [0, 1])
def test_view_starts_netron_with_the_file(monkeypatch, code):
    seen = []

    def run(command, **options):
        seen.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(tfpare.netron.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(tfpare.netron.subprocess, "run", run)
    done = call("view", MNIST, "--json")
    assert seen[0][1:3] == ["-m", "netron"]
    assert seen[0][-1] == str(MNIST / "saved_model.pb")
    assert done.exit_code == (3 if code else 0)
    assert code or json.loads(done.stdout)["file"] == seen[0][-1]


def test_files_that_a_viewer_reads(tmp_path):
    frozen = tmp_path / "f.pb"
    frozen.write_bytes(b"")
    assert model_file(frozen) == frozen
    (tmp_path / "model.ckpt.meta").write_bytes(b"")
    assert model_file(tmp_path / "model.ckpt") == tmp_path / "model.ckpt.meta"
    with pytest.raises(UnsupportedModel):
        model_file(tmp_path / "none")


def test_view_writes_for_tensorboard(tmp_path):
    done = call("view", MNIST, "--tensorboard", tmp_path / "logs", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"viewer": "tensorboard", "directory": str(tmp_path / "logs")}
    assert list((tmp_path / "logs").rglob("events.out.tfevents.*"))
