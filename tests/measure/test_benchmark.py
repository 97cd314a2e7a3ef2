"""Real runs on small models: short, so that only what is measured is looked at, not how long it took."""

from __future__ import annotations

import json
import zipfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tfpare.api import OptimizeOptions, optimize
from tfpare.cli.app import app
from tfpare.errors import UsageError
from tfpare.execution import RunRefused
from tfpare.measure.benchmark import benchmark
from tfpare.measure.compare import compare
from tfpare.measure.compare_types import CompareOptions
from tfpare.measure.files import file_sizes
from tfpare.measure.inputs import Inputs
from tfpare.measure.subjects import choose_via, subjects
from tfpare.measure.types import BenchmarkOptions, BenchmarkReport, Environment, Via, Workload
from tfpare.report_benchmark import render
from tfpare.to_json import to_json

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet" / "saved_model"
KERAS = FIXTURES / "tf2_keras_mnist" / "saved_model"
SHORT = BenchmarkOptions(repeats=1, min_seconds=0.05, min_runs=5, measure_zip=False)


def shortly(**changes):
    return replace(SHORT, **changes)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "mnist.pb"
    optimize(MNIST, path, OptimizeOptions(verify=False))
    return path


@pytest.fixture(scope="module")
def pair(frozen):
    told = []
    options = shortly(repeats=2, batches=(1, 4), measure_zip=True)
    report = benchmark(MNIST, frozen, options=options, progress=lambda step, share: told.append(share))
    return report, told


def test_phases_are_apart(pair):
    report, _ = pair
    for model in report.models:
        assert len(model.import_s) == len(model.load_s) == len(model.first_call_s) == 2
        assert min(*model.import_s, *model.load_s, *model.first_call_s) > 0
    assert [m.via for m in report.models] == ["session", "session"]
    assert report.models[1].form == "graphdef"


@pytest.fixture(scope="module")
def slow_at_first(tmp_path_factory):
    """Two SavedModels that count their calls; the first call of the second multiplies matrices for a while."""
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self, rounds):
            super().__init__()
            self.calls = tf.Variable(0)
            self.rounds = rounds

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, "x")])
        def run(self, x):
            square = tf.ones((800, 800)) / 800.0
            rounds = tf.where(tf.equal(self.calls.assign_add(1), 1), self.rounds, 0)
            work = tf.while_loop(lambda k, m: k < rounds, lambda k, m: (k + 1, m @ square), (0, square))[1]
            return {"y": x + 0.0 * work[0, 0]}

    folder = tmp_path_factory.mktemp("first")
    paths = folder / "plain", folder / "slow"
    for path, rounds in zip(paths, (0, 120), strict=True):
        model = Model(rounds)
        tf.saved_model.save(model, str(path), signatures={"serving_default": model.run})
    return paths


def test_what_the_first_call_does_is_in_its_phase_only(slow_at_first):
    plain, slow = benchmark(*slow_at_first, options=shortly(repeats=3)).models
    planted = min(slow.first_call_s) - max(plain.first_call_s)
    assert planted > max(plain.first_call_s)
    assert abs(min(slow.load_s) - min(plain.load_s)) < planted / 2
    for calls in slow.warm:
        assert calls.latency.max_ms < planted * 1e3 / 4


def test_warm_calls_are_as_many_as_asked_for(pair):
    report, _ = pair
    for model in report.models:
        found = [w.workload for w in model.warm]
        assert found == [Workload(1), Workload(1, feeding=False), Workload(4), Workload(4, feeding=False)]
        for calls in model.warm:
            t = calls.latency
            assert t.count >= 5
            assert t.min_ms <= t.median_ms <= t.p90_ms <= t.p95_ms <= t.p99_ms <= t.max_ms
            assert calls.rows_per_s == pytest.approx(calls.calls_per_s * calls.workload.batch)
            assert len(calls.samples_ms) == sum(calls.repeat_counts) == t.count
            assert len(calls.repeat_counts) == 2


def test_memory_and_files(pair):
    report, _ = pair
    memory = report.models[0].memory
    assert 0 < memory.imported <= memory.loaded <= memory.load_peak
    assert memory.running_peak > memory.imported
    assert report.models[1].files.raw == report.models[1].model.stat().st_size


def test_every_phase_has_a_ratio(pair):
    report, _ = pair
    assert [(r.phase, r.workload) for r in report.ratios[:2]] == [("load", None), ("first call", None)]
    assert [r.workload for r in report.ratios[2:]] == [w.workload for w in report.models[0].warm]
    assert all(r.interval.low <= r.interval.value <= r.interval.high and r.repeats == 2 for r in report.ratios)
    assert all(r.pairs >= 16 for r in report.ratios[2:])


def test_progress_and_environment(pair):
    report, told = pair
    assert told == sorted(told)
    assert told[-1] <= 1.0
    assert report.environment.tensorflow
    assert report.environment.onednn is not None
    assert "drawn" in report.inputs


def test_the_report_is_json_and_renders(pair):
    report, _ = pair
    document = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert document["models"][0]["warm"][0]["samples_ms"]
    assert render(report)


def test_profile_and_events(tmp_path):
    report = benchmark(MNIST, options=shortly(profile=True, tensorboard=tmp_path / "events"))
    profile = report.models[0].profile
    assert profile is not None
    assert any("Conv2D" in t.op for t in profile.by_op)
    assert sum(t.share for t in profile.by_op) == pytest.approx(1.0)
    assert [t.ms for t in profile.by_node] == sorted((t.ms for t in profile.by_node), reverse=True)
    assert len(list((tmp_path / "events").rglob("events.out.tfevents*"))) == 2


def test_open_loop():
    report = benchmark(MNIST, options=shortly(rate=50.0, streams=2))
    (calls,) = report.models[0].warm
    assert calls.workload == Workload(1, 2, 50.0)
    assert calls.latency.count >= 80
    assert calls.seconds >= 1.0


@pytest.mark.parametrize("via", [Via.SIGNATURE, Via.SESSION, Via.TFSM])
def test_call_paths(via):
    report = benchmark(KERAS, options=shortly(via=via))
    assert report.models[0].via == via.value
    assert report.models[0].warm[0].latency.count >= 5


def test_given_inputs_and_threads():
    options = shortly(input_exprs="images=zeros((2,28,28,1))", batches=(3,), intra_threads=1, inter_threads=1)
    report = benchmark(MNIST, options=options)
    assert report.environment.intra_threads == report.environment.inter_threads == 1
    assert "as given" in report.inputs


def test_refused_inputs_name_the_model():
    with pytest.raises((RunRefused, UsageError), match=r"saved_model|images"):
        benchmark(MNIST, options=shortly(input_exprs="images=zeros((2,7,28,1))"))


def test_compare(frozen):
    told = []
    report = compare(MNIST, frozen, CompareOptions(SHORT), lambda step, share: told.append(step))
    assert report.ok
    assert report.verification is not None
    assert None not in report.nodes
    assert {"First call", "Load", "Size on disk", "Nodes", "Largest difference"} <= {r.what for r in report.rows}
    assert "comparing answers" in told


# ---------------------------------------------------------------- parts that need no process


def of(*models, **options):
    with ExitStack() as stack:
        return subjects([Path(m) for m in models], BenchmarkOptions(**options), stack)


def test_the_call_path_is_one_that_all_have(frozen):
    assert choose_via(Via.AUTO, of(KERAS).all) is Via.SIGNATURE
    assert choose_via(Via.AUTO, of(MNIST).all) is Via.SESSION
    assert choose_via(Via.AUTO, of(MNIST, frozen).all) is Via.SESSION
    with pytest.raises(UsageError, match="--via session"):
        choose_via(Via.SIGNATURE, of(MNIST, frozen).all)


def test_keys_of_a_bare_graph_are_matched(frozen):
    found = of(MNIST, frozen)
    assert set(found.all[1].keys) == set(found.all[0].signatures[found.all[0].signature].inputs)


def test_models_with_other_inputs_are_refused():
    with pytest.raises(UsageError, match="same inputs"):
        of(MNIST, FIXTURES / "tf1_embedding" / "saved_model")


def test_unknown_signature():
    with pytest.raises(UsageError, match="no signature"):
        of(MNIST, signature="nothing")


def test_inputs_have_the_asked_rows():
    found = of(MNIST)
    drawn = Inputs(found.spec, BenchmarkOptions()).of_batch(5)
    assert len(drawn) > 1
    assert all(len(a) == 5 for feeds in drawn for a in feeds.values())
    assert not np.array_equal(drawn[0]["images"], drawn[1]["images"])
    given = Inputs(found.spec, BenchmarkOptions(input_exprs="images=ones((2,28,28,1))")).of_batch(5)
    assert [len(f["images"]) for f in given] == [5]


def test_data_sets_are_cut_to_batches(tmp_path):
    np.savez(tmp_path / "eval.npz", images=np.random.rand(10, 28, 28, 1).astype("f"), labels=np.arange(10))
    inputs = Inputs(of(MNIST).spec, BenchmarkOptions(data=str(tmp_path / "eval.npz")))
    assert [len(f["images"]) for f in inputs.of_batch(4)] == [4, 4, 4]
    assert "eval.npz" in inputs.words


def test_zipped_size_is_about_that_of_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in MNIST.rglob("*"):
            archive.write(file, file.relative_to(MNIST))
    sizes = file_sizes(MNIST)
    assert sizes.zipped == pytest.approx((tmp_path / "z.zip").stat().st_size, rel=0.02)
    assert file_sizes(MNIST, measure_zip=False).zipped is None


@pytest.mark.parametrize(
    "options",
    [{"batches": ()}, {"batches": (0,)}, {"streams": 0}, {"repeats": 0}, {"rate": -1.0}, {"min_runs": 0}],
)
def test_senseless_options(options):
    with pytest.raises(UsageError):
        benchmark(MNIST, options=BenchmarkOptions(**options))


def test_no_model():
    with pytest.raises(UsageError, match="at least one"):
        benchmark()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["benchmark", str(MNIST), "--batch", "x"], 2, "--batch"),
        (["benchmark", str(MNIST), "--via", "sesion"], 2, "'session'"),
        (["benchmark", "nothing-here"], 3, "does not exist"),
        (["compare", str(MNIST), str(MNIST), "--metric", "top1"], 2, "--data"),
    ],
)
def test_command_line_errors(arguments, code, said):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code
    assert said in done.output + done.stderr


@pytest.mark.parametrize("command", ["benchmark", "compare"])
def test_help(command):
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "--repeats" in done.output


def test_the_command_prints_json(monkeypatch):
    seen = []

    def run(*models, options, data_options, progress):
        print("chatter of a library on stdout")
        seen.append((models, options, data_options))
        progress("batch 1", 0.5)
        return benchmark_of_nothing

    benchmark_of_nothing = BenchmarkReport([], [], Environment(), "drawn", BenchmarkOptions())
    monkeypatch.setattr("tfpare.measure.benchmark.benchmark", run)
    monkeypatch.setattr("tfpare.report_benchmark.render", lambda report: "")
    arguments = ["benchmark", "a", "b", "--batch", "1,8", "--via", "session", "--resize", "32x32", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    ((models, options, reading),) = seen
    assert (models, options.batches, options.via) == ((Path("a"), Path("b")), (1, 8), Via.SESSION)
    assert reading.resize == (32, 32)
    assert json.loads(done.stdout)["command"].startswith("tfpare")
