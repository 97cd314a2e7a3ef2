"""The command line: what scripts rely on (exit codes, streams, JSON, spellings) and what people see."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tfpare.api
from tfpare.api_types import ModelStats, OptimizeReport
from tfpare.cli.app import app
from tfpare.engine.rule import RULES
from tfpare.errors import VerificationError
from tfpare.pipeline import StepReport
from tfpare.recipe import Recipe, tomllib
from tfpare.scaffold import new_rewrite
from tfpare.verifier import OutputDifference, VerifyReport

FIXTURES = Path(__file__).parent / "data" / "fixtures"
MNIST = str(FIXTURES / "tf1_mnist_convnet" / "saved_model")
COMMANDS = (
    *("inspect", "optimize", "verify", "benchmark", "evaluate", "compare", "report", "view", "diff", "transform"),
    *("passes", "explain", "demo", "new-rewrite"),
)


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def optimized(monkeypatch):
    """Replaces the work of `optimize`; returns the options that it was called with."""
    seen: list = []
    report = OptimizeReport(
        input=Path("in"),
        output=Path("out"),
        form="saved_model_v1",
        preset="fast",
        before=ModelStats(10, 1, {"Conv2D": 1, "Mul": 2}, 1000, 2000),
        after=ModelStats(5, 0, {"Conv2D": 1}, 900, 1000),
        steps=[StepReport("fold_constants", "pass", "exact", 3, seconds=0.5, nodes_removed=5)],
        verification=VerifyReport(True, [OutputDifference("s", "y", "float32", True, float("nan"), 1e-7)], 2, 1.0),
        notes=["inputs were guessed: x:0"],
        seconds={"read": 0.1, "total": 1.5},
    )

    def run(model, output, options, progress):
        progress("reading")
        print("chatter of a library on stdout")
        os.write(1, b"chatter of native code on stdout\n")
        seen.append(options)
        return report

    monkeypatch.setattr(tfpare.api, "optimize", run)
    return seen


def test_help_names_every_command():
    shown = call("--help")
    assert shown.exit_code == 0
    for name in COMMANDS:
        assert name in shown.stdout
        assert call(name, "--help").exit_code == 0


def test_starting_imports_nothing_heavy():
    program = (
        "import sys, tfpare.cli.app as a\n"
        "print(sorted({'numpy', 'tensorflow', 'rich', 'pydantic', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_answers_at_once():
    seconds = []
    for _ in range(7):
        begin = os.times()
        subprocess.run([sys.executable, "-m", "tfpare", "--help"], capture_output=True, check=True)
        end = os.times()  # processor time, not the clock: other tests run at the same time
        seconds.append(end.children_user - begin.children_user + end.children_system - begin.children_system)
    assert min(seconds) < 0.3


def test_version():
    assert call("--version").stdout.startswith("tfpare ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_debug(name):
    shown = call(name, "--help").stdout
    assert "--json" in shown
    assert "--debug" in shown


def test_unknown_command_and_option_suggest_the_nearest():
    wrong = call("optimise")
    assert wrong.exit_code == 2
    assert "optimize" in wrong.stderr
    wrong = call("inspect", MNIST, "--tag_sat", "serve")
    assert wrong.exit_code == 2
    assert "--tag-set" in wrong.stderr


@pytest.mark.parametrize("flag", ["--tag_set", "--tag-set"])
def test_both_spellings(flag):
    assert call("inspect", MNIST, flag, "serve").exit_code == 0


def test_inspect_table_and_json():
    table = call("inspect", MNIST)
    assert table.exit_code == 0
    assert "serving_default" in table.stdout
    assert max(len(line) for line in table.stdout.splitlines()) <= 100
    document = json.loads(call("inspect", MNIST, "--json").stdout)
    images = document["graphs"][0]["signatures"]["serving_default"]["inputs"]["images"]
    assert images == {"tensors": ["images:0"], "dtype": "float32", "shape": [None, 28, 28, 1]}


def test_a_terminal_that_knows_ascii_only():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments in (["passes"], ["passes", "--json"], ["explain", "remove_double_negation"]):
        command = [sys.executable, "-m", "tfpare", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        assert "--json" not in arguments or json.loads(done.stdout)


def test_errors_are_one_message_and_one_document(tmp_path):
    done = call("inspect", tmp_path, "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["exit_code"] == 3
    assert done.stderr.startswith("tfpare: ")
    assert "Traceback" not in done.stderr
    done = call("inspect", MNIST, "--tag_set", "gpu")
    assert done.exit_code == 2
    assert "It has: serve" in done.stderr


@pytest.mark.parametrize("position", ["before", "after"])
def test_debug_shows_the_traceback(position, tmp_path):
    arguments = ["--debug", "inspect", tmp_path] if position == "before" else ["inspect", tmp_path, "--debug"]
    done = subprocess.run(
        [sys.executable, "-m", "tfpare", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_optimize_passes_its_flags_on(optimized):
    done = call(
        *("optimize", MNIST, "-o", "out", "--preset", "exact", "--tag_set", "serve,gpu", "--signature_def", "a"),
        *("--signature-def", "b", "--disable", "merge_pads,fold-constants", "--bind", "is_training=false"),
        *("--bind", "keep=0.5", "--remove_asserts", "--no-verify", "--overwrite", "--tolerance", "0"),
        *("--freeze-limit", "500MB"),
        *("--input_names", "x:0,y:0", "--output_names", "z:0", "--input_exprs", "x=[[1.0]]"),
    )
    assert done.exit_code == 0, done.stderr
    (options,) = optimized
    assert (options.preset, options.tags, options.signatures) == ("exact", ("serve", "gpu"), ("a", "b"))
    assert options.disable == ("merge_pads", "fold-constants")
    assert {k: v.tolist() for k, v in options.bind.items()} == {"is_training": False, "keep": 0.5}
    assert (options.remove_asserts, options.verify, options.overwrite) == (True, False, True)
    assert options.verification.tolerance == 0
    assert options.freeze_limit_bytes == 500_000_000
    assert options.verification.input_exprs == "x=[[1.0]]"
    assert (options.input_names, options.output_names) == (("x:0", "y:0"), ("z:0",))


def test_stdout_holds_one_document_and_nothing_else(optimized, capfd):
    document = json.loads(call("optimize", MNIST, "-o", "out", "--json").stdout)
    assert "chatter" not in capfd.readouterr().out
    assert document["verification"]["outputs"][0]["max_abs"] == "NaN"
    assert document["steps"][0]["applied"] == 3


def test_report_tells_what_was_done(optimized):
    shown = call("optimize", MNIST, "-o", "out").stdout
    for part in ("fold_constants", "inputs were guessed", "2.0 kB", "1.0 kB", "-50 %", "1e-07", "out"):
        assert part in shown, part
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_flags_replace_the_recipe(optimized, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'preset = "exact"\ndisable = "merge_pads, fold_constants"\nremove-asserts = true\ndata = "eval.npz"\n'
        "[bind]\nis_training = false\nkeep = 1.0\n"
    )
    assert (
        call("optimize", MNIST, "-o", "out", "--recipe", recipe, "--preset", "fast", "--bind", "keep=2").exit_code == 0
    )
    (options,) = optimized
    assert options.preset == "fast"
    assert options.disable == ("merge_pads", "fold_constants")
    assert options.remove_asserts
    assert options.verification.data == tmp_path / "eval.npz"
    assert {k: v.tolist() for k, v in options.bind.items()} == {"is_training": False, "keep": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("disabel = []", "'disabel'. Did you mean 'disable'?"),
        ('preset = "fsat"', "Did you mean 'fast'?"),
        ("tolerance = -1", "tolerance = -1"),
        ('remove_asserts = "perhaps"', "remove_asserts"),
        ("bind = 3", "bind = 3"),
        ('freeze_limit = "much"', "freeze_limit = 'much'"),
        ("preset = ", "no TOML"),
    ],
)
def test_a_wrong_recipe_is_refused(optimized, tmp_path, text, expected):
    recipe = tmp_path / "r.toml"
    recipe.write_text(text)
    done = call("optimize", MNIST, "-o", "out", "--recipe", recipe)
    assert done.exit_code == 2
    assert expected in done.stderr
    assert str(recipe) in done.stderr
    assert not optimized


def test_wrong_flags_name_themselves(optimized):
    done = call("optimize", MNIST, "-o", "out", "--bind", "is_training")
    assert done.exit_code == 2
    assert "NAME=VALUE" in done.stderr
    done = call("optimize", MNIST, "-o", "out", "--tolerance", "-1")
    assert done.exit_code == 2
    assert "tolerance" in done.stderr
    done = call("optimize", MNIST, "-o", "out", "--op_library", "/nowhere/lib.so")
    assert done.exit_code == 2
    assert "/nowhere/lib.so" in done.stderr
    assert not optimized


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (VerificationError("it differs", VerifyReport(False)), 1, "it differs"),
        (RuntimeError("boom"), 3, "bug in tfpare"),
    ],
)
def test_exit_codes(monkeypatch, error, code, message):
    def fail(*rest):
        raise error

    monkeypatch.setattr(tfpare.api, "optimize", fail)
    done = call("optimize", MNIST, "-o", "out", "--json")
    assert done.exit_code == code
    assert message in done.stderr
    document = json.loads(done.stdout)
    assert document["exit_code"] == code
    assert ("report" in document) == (code == 1)


def test_optimize_for_real(tmp_path):
    done = call("optimize", MNIST, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["after"]["nodes"] < report["before"]["nodes"] / 2
    assert report["verification"]["ok"]
    again = call("optimize", MNIST, "-o", tmp_path / "out")
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    same = call("verify", MNIST, tmp_path / "out", "--json")
    assert same.exit_code == 0
    exact = call("verify", MNIST, tmp_path / "out", "--tolerance", "0")
    assert exact.exit_code == 1
    assert "DIFFER" in exact.stdout


def test_unknown_signature_and_rule_suggest_the_nearest(tmp_path):
    done = call("optimize", MNIST, "-o", tmp_path / "out", "--signature_def", "serving_defualt")
    assert (done.exit_code, "'serving_default'" in done.stderr) == (2, True)
    done = call("optimize", MNIST, "-o", tmp_path / "out", "--disable", "fold_constant")
    assert (done.exit_code, "'fold_constants'" in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_passes_and_explain():
    shown = call("passes").stdout
    assert "remove_identity" in shown
    assert "fold_constants" in shown
    names = {e["name"]: e for e in json.loads(call("passes", "--json").stdout)}
    assert names["remove_identity"]["effect"] == "exact"
    explained = call("explain", "remove-identity")
    for part in ("Identity(x) = x", "Before", "After", "Declines when", "Source"):
        assert part in explained.stdout
    wrong = call("explain", "remove_identty")
    assert wrong.exit_code == 2
    assert "Did you mean 'remove_identity'?" in wrong.stderr


def test_demo_compares_accuracy_and_time():
    done = call("demo", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["images"] == 1000
    assert report["before"]["accuracy"] == report["after"]["accuracy"] > 0.98
    assert report["calls"] >= 50
    assert all(c["min_s"] > 0 for c in report["after"]["calls"])


def test_new_rewrite_gives_a_rule_whose_test_passes(tmp_path, monkeypatch):
    for folder in ("src/tfpare/rewrites", "tests/rewrites"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    done = call("new-rewrite", "remove-test-only", "--json")
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["name"] == "remove_test_only"
    try:
        load(Path(made["rule"]))
        tests = load(Path(made["test"]))
        names = [n for n in vars(tests) if n.startswith("test_")]
        assert len(names) == 3
        for name in names:
            getattr(tests, name)()
    finally:
        RULES.pop("remove_test_only", None)
    assert call("new-rewrite", "remove_test_only").exit_code == 2


def test_new_rewrite_refuses_bad_names_and_places(tmp_path):
    for name in ("Fold", "1x", "a b", "def", "../x"):
        with pytest.raises(Exception, match="cannot name a rule"):
            new_rewrite(name, tmp_path)
    with pytest.raises(Exception, match="no checkout"):
        new_rewrite("fold_x", tmp_path)


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_recipe_is_one(optimized, tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()
    text = page.split("```toml\n")[1].split("```")[0]
    assert set(Recipe.model_fields) == set(tomllib.loads(text))
    recipe = tmp_path / "r.toml"
    recipe.write_text(text.replace('op_library = ["my_ops.so"]', "op_library = []"))
    assert call("optimize", MNIST, "-o", "out", "--recipe", recipe).exit_code == 0
    assert optimized[0].bind["is_training"].tolist() is False
