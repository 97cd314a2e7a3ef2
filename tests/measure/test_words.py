"""Ratios in words, and the lines of the table Before | After | Comment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfpare.evaluation.types import AgreementReport, EvaluationReport, MetricResult, PairedTest
from tfpare.evaluation.types import Interval as MetricInterval
from tfpare.measure.compare_types import CompareReport
from tfpare.measure.rows import evaluation_rows, node_row, resource_rows, time_rows, verification_rows
from tfpare.measure.statistics import summarize
from tfpare.measure.types import (
    BenchmarkOptions,
    BenchmarkReport,
    Environment,
    FileSizes,
    Interval,
    Memory,
    ModelTimes,
    Ratio,
    Verdict,
    WarmCalls,
    Workload,
)
from tfpare.measure.words import in_words, labels, times_as_fast, workload_words
from tfpare.proof import OutputDifference, VerifyReport
from tfpare.report_compare import markdown, render, verdict

FED = Workload(8)


def ratio(value, low, high, said, phase="warm calls", workload=FED):
    return Ratio(1, phase, workload, Interval(value, low, high), 70, 7, 0.03, said)


def model(name, ms, loaded, raw):
    calls = WarmCalls(FED, summarize([ms] * 10), 1.0, 1000 / ms, 8000 / ms, (ms,) * 10, (10,))
    memory = Memory(400, loaded, loaded + 1, loaded * 2, loaded * 3)
    return ModelTimes(
        Path(name), "saved_model_v2", "signature", "serve", (2.0,), (1.0, 2.0), (0.5,), (calls,), memory, FileSizes(raw)
    )


@pytest.fixture
def report():
    ratios = [
        ratio(0.5, 0.45, 0.55, Verdict.FASTER),
        ratio(1.2, 1.1, 1.3, Verdict.SLOWER, "first call", None),
        ratio(1.0, 0.95, 1.05, Verdict.NONE, "load", None),
    ]
    models = [model("a", 10.0, 1000, 2000), model("b", 5.0, 900, 500)]
    return BenchmarkReport(models, ratios, Environment(cpu="CPU"), "drawn", BenchmarkOptions())


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, "2.00× faster"), (1.1, "1.10× slower"), (0.05, "20× faster"), (float("nan"), "unknown"), (0, "unknown")],
)
def test_times_as_fast(value, expected):
    assert times_as_fast(value) == expected


def test_verdicts_in_words():
    assert in_words(ratio(0.5, 0.4, 0.8, Verdict.FASTER)) == "2.00× faster (1.25 to 2.50)"
    assert in_words(ratio(1.2, 1.1, 1.3, Verdict.SLOWER)) == "1.20× slower (1.10 to 1.30)"
    assert in_words(ratio(1.0, 0.9, 1.1, Verdict.NONE)) == (
        "no difference seen (between 1.11× faster and 1.10× slower)"
    )
    assert "--repeats" in in_words(ratio(1.0, 0.0, float("inf"), Verdict.NONE))
    assert "scatter too much" in in_words(ratio(1.0, 1e-5, 1e5, Verdict.NONE))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["x/a", "x/b"], ["a", "b"]),
        (["before/m", "after/m"], ["before/m", "after/m"]),
        (["m", "m"], ["m (1)", "m (2)"]),
        (["m"], ["m"]),
    ],
)
def test_labels_tell_models_apart(paths, expected):
    assert labels([Path(p) for p in paths]) == expected


def test_workloads_in_words():
    assert workload_words(Workload(8, 2, 100.0)) == "batch 8, 100 arrivals/s, 2 callers"
    assert workload_words(Workload(1, feeding=False)) == "batch 1, without feeding"


def test_rows_of_times(report):
    rows = {r.what: r for r in time_rows(report)}
    latency = rows["Latency, median (batch 8)"]
    assert (latency.before, latency.after) == ("10.0 ms", "5.00 ms")
    assert latency.comment.startswith("2.00× faster")
    assert rows["Throughput (batch 8)"].comment == "2.00× as many"
    assert rows["First call"].comment.startswith("1.20× slower")
    assert rows["Load"].comment.startswith("no difference seen")


def test_rows_of_resources(report):
    rows = {r.what: r for r in resource_rows(*report.models)}
    assert rows["Size on disk"].comment == "75 % smaller"
    assert rows["RAM, loaded"].comment == "10 % less, TensorFlow included"
    assert "Size, zipped" not in rows


def test_memory_that_is_unknown_has_no_row(report):
    nothing = ModelTimes(
        Path("a"), "graphdef", "session", "s", (1.0,), (1.0,), (1.0,), report.models[0].warm, Memory(), FileSizes(1, 1)
    )
    assert [r.what for r in resource_rows(nothing, nothing)] == ["Size on disk", "Size, zipped"]


def test_nodes():
    assert node_row(1000, 550).comment == "45 % fewer"
    assert node_row(5, 5).comment == "the same"
    assert node_row(None, 5).before == "?"


def evaluation(paired_verdict="no loss seen"):
    interval = MetricInterval(0.87, 0.91, "Wilson")
    results = [MetricResult("top1", Path(n), 0.89, interval, 1280) for n in "ab"]
    words = f"{paired_verdict} on 1,280 samples"
    test = PairedTest("top1", 0.89, 0.89, 0.0, None, 1.0, "McNemar", 1280, paired_verdict, words)
    agreement = AgreementReport("y", 1280, 0.999, None, 0.01, 0.001, 0.001, 1.0, 1.0, 0.0, 0.0)
    return EvaluationReport(Path("a"), Path("b"), "data", "serve", "y", 1280, 0, [], results, [test], [agreement], 32)


def test_rows_of_an_evaluation():
    accuracy, agreement = evaluation_rows(evaluation())
    assert (accuracy.what, accuracy.before) == ("top1", "0.89 (0.87 to 0.91)")
    assert accuracy.comment == "no loss seen on 1,280 samples"
    assert (agreement.what, agreement.after) == ("Same top class (y)", "99.90%")


def test_rows_of_a_verification():
    proof = VerifyReport(
        True, [OutputDifference("s", "y", "float32", True, max_abs=1e-3, max_rel=1e-6, top1_agreement=1.0)], 6
    )
    same, largest = verification_rows(proof, with_agreement=True)
    assert "no statement about accuracy" in same.comment
    assert (largest.after, largest.comment) == ("1e-06", "answers are the same (6 sets of inputs)")
    assert [r.what for r in verification_rows(proof, with_agreement=False)] == ["Largest difference"]
    assert "DIFFER" in next(iter(verification_rows(VerifyReport(False), with_agreement=False))).comment


def comparison(report, **parts):
    rows = list(time_rows(report))
    whole = {"ok": True, "verification": None, "evaluation": None, "nodes": (1, 1), **parts}
    return CompareReport(Path("a|b"), Path("c"), rows=rows, benchmark=report, **whole)


def test_the_last_line(report):
    assert verdict(comparison(report)) == "2.00× faster, answers not compared"
    assert verdict(comparison(report, verification=VerifyReport(True))) == "2.00× faster, answers the same"
    assert verdict(comparison(report, ok=False, evaluation=evaluation("loss"))) == "2.00× faster, LOSS"


def test_markdown_is_a_table_and_escapes(report):
    report.inputs = "a|b <script>"
    lines = markdown(comparison(report)).splitlines()
    assert lines[0] == "|  | Before | After | Comment |"
    assert all(line.count("|") == 5 for line in lines[:6])
    assert any("a\\|b \\<script\\>" in line for line in lines)
    assert render(comparison(report))
