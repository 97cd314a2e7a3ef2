"""The page as text, and the numbers that it shows."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.html import runs
from tfpare.errors import UsageError
from tfpare.evaluation.types import Interval
from tfpare.html import charts
from tfpare.html.contents import Contents
from tfpare.html.files import check_page, write_page
from tfpare.html.graphs import graph_data
from tfpare.html.intervals import MetricFigures, agreement_chart, metrics
from tfpare.html.op_bytes import bytes_by_op
from tfpare.html.page import render_page
from tfpare.html.run_file import read_benchmark, read_report, read_run
from tfpare.html.summary import summary, tiles
from tfpare.measure.types import Interval as Ratio
from tfpare.recording import GraphRecord, ModelRecord, NodeRecord
from tfpare.to_json import to_json
from tfpare.tuning.types import Candidate, LayerChoice, SearchReport


def test_a_stored_run_gives_the_same_page(tmp_path):
    run = tmp_path / "run.json"
    run.write_text(json.dumps(to_json(runs.small())))
    assert render_page(read_run(run)) == render_page(runs.small())


def test_a_stored_benchmark_joins_a_run(tmp_path):
    stored = tmp_path / "b.json"
    stored.write_text(json.dumps(to_json(runs.benchmark())))
    assert read_benchmark(stored) == runs.benchmark()
    alone = runs.benchmark()
    alone.models.pop()
    with pytest.raises(UsageError, match="are of 1 models"):
        render_page(alone)


@pytest.mark.parametrize("make", [runs.small, runs.comparison, runs.evaluation_of_one, runs.benchmark])
def test_what_a_file_holds_is_told_from_its_keys(tmp_path, make):
    stored = tmp_path / "report.json"
    stored.write_text(json.dumps(to_json(make()), allow_nan=False))
    found = read_report(stored)
    assert type(found) is type(make())
    assert to_json(found) == to_json(make())
    assert render_page(found) == render_page(make())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON document"),
        ("[]", "tfpare compare BEFORE AFTER --json"),
        ('{"preset": "fast"}', "tfpare optimize"),
        ('{"error": "no space", "exit_code": 1}', "an error: no space"),
        ('{"preset": "fast", "steps": 3}', "`tfpare optimize MODEL -o OUT --json` prints: input"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    run = tmp_path / "run.json"
    run.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_report(run)
    with pytest.raises(UsageError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_places_are_refused_before_any_work(tmp_path):
    page = tmp_path / "r.html"
    check_page(page, overwrite=False)
    write_page("<p>é \ud800", page)
    assert page.read_text(encoding="utf-8") == "<p>é ?"
    assert list(tmp_path.iterdir()) == [page]
    with pytest.raises(UsageError, match="--overwrite"):
        check_page(page, overwrite=False)
    check_page(page, overwrite=True)
    with pytest.raises(UsageError, match="is a directory"):
        check_page(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="does not exist"):
        check_page(tmp_path / "no" / "r.html", overwrite=False)


def test_hostile_names_are_text():
    page = render_page(runs.hostile())
    embedded = page[page.index('id="data">') :]
    embedded = embedded[: embedded.index("</script>")]
    for character in ("<", "&", "\u2028", "\u2029"):
        assert character not in embedded.removeprefix('id="data">')
    outside = page.replace(embedded, "")
    assert "<script>window" not in outside
    assert "<img" not in outside
    assert "{{" not in outside.split("<script>")[0].replace("{{ 7 * 7 }}", "")


def test_the_search_for_a_precision_is_shown():
    run = runs.small()
    assert 'id="precision"' not in render_page(run)
    run.search = SearchReport(
        0.005,
        [
            Candidate("float32", "keep", milliseconds=2.0, file_bytes=4000),
            Candidate("8 bits", "int8", ("net/conv",), math.inf, ok=False, note="loses too much"),
            Candidate("8 bits + bfloat16", "int8", ("net/conv",), 0.002, speed=Ratio(0.5, 0.4, 0.6), chosen=True),
        ],
        [LayerChoice("net/conv", "Conv2D", "float32", "alone it leaves 9.1 dB")],
    )
    page = render_page(run)
    assert "<td>8 bits + bfloat16</td>" in page
    assert "2.00×" in page
    assert "alone it leaves 9.1 dB" in page
    assert json.loads(json.dumps(to_json(run), allow_nan=False))["search"]["candidates"][2]["chosen"]


def test_first_numbers():
    found = {t.name: (t.value, t.tone) for t in tiles(Contents.of(runs.small()))}
    assert found == {
        "answers": ("same", "good"),
        "latency": ("2.00× faster", "good"),
        "files": ("-20 %", "good"),
        "nodes": ("-29 %", "good"),
    }
    rows = {r.what: (r.before, r.after) for r in summary(Contents.of(runs.small()))}
    assert rows["Latency, median (batch 1)"] == ("10.1 ms", "5.08 ms")
    assert rows["Size, zipped"] == ("2.0 kB", "2.0 kB")
    assert rows["Nodes"] == ("7", "5")
    without = Contents.of(runs.small(times=False))
    assert "latency" not in {t.name for t in tiles(without)}
    assert [r.what for r in summary(without)] == ["Size on disk", "Weights", "Nodes", "Functions", "Kinds of ops"]


def test_first_numbers_of_an_evaluation():
    found = {t.name: (t.value, t.tone) for t in tiles(Contents.of(runs.comparison()))}
    assert found == {
        "answers": ("same", "good"),
        "top1": ("loss", "bad"),
        "latency": ("2.00× faster", "good"),
        "files": ("same", ""),
        "nodes": ("-29 %", "good"),
    }
    assert [(t.name, t.value) for t in tiles(Contents.of(runs.evaluation_of_one()))] == [
        ("top1", "0.89"),
        ("mse", "2.5"),
    ]
    agreement = tiles(Contents.of(runs.evaluation(metrics=False)))
    assert [(t.name, t.value) for t in agreement] == [("same top class", "97.00%")]
    assert summary(Contents.of(runs.comparison())) == runs.comparison().rows
    assert summary(Contents.of(runs.evaluation_of_one())) == []


def test_reports_on_the_same_models_join():
    run, comparison = runs.small(times=False), runs.comparison()
    shown = Contents.of(comparison, run)
    assert shown.reports == (run, comparison)
    assert (shown.times, shown.evaluation) == (comparison.benchmark, comparison.evaluation)
    assert shown.verification is run.verification
    assert shown.notes == ["a note", "a note of the comparison", "a note of the evaluation"]
    assert shown.warnings == []
    rows = [r.what for r in summary(shown)]
    assert rows.count("Nodes") == rows.count("Weights") == rows.count("top1") == rows.count("Size on disk") == 1
    page = render_page(run, comparison)
    for part in ("top1 loss on 1,280 samples", "fold_mul_into_linear", "Latency of warm calls", "probabilities"):
        assert part in page, part


def test_what_is_about_one_part_alone_comes_first():
    comparison, times, evaluation = runs.comparison(), runs.benchmark(), runs.evaluation(metrics=False)
    shown = Contents.of(runs.small(), comparison, times, evaluation)
    assert shown.times is times
    assert shown.evaluation is evaluation
    comparison.benchmark.models = [replace(m, profile=None) for m in comparison.benchmark.models]
    run = runs.small()
    assert Contents.of(run, comparison).traced is run.benchmark
    assert Contents.of(run, comparison).times is comparison.benchmark


def test_other_models_and_two_of_a_kind():
    other = runs.evaluation()
    other.against = Path("models/slow")
    (warning,) = Contents.of(runs.small(times=False), other).warnings
    assert warning == "these reports name other models; run: net → fast; evaluation: net → slow"
    assert Contents.of(runs.small(times=False), runs.evaluation_of_one()).warnings == []
    with pytest.raises(UsageError, match="one report of each kind"):
        Contents.of(other, other)


def test_metrics_without_a_value_or_end_are_not_drawn():
    top1, mse = metrics(runs.evaluation())
    assert top1.value_chart["spans"] == [(0.87, 0.905), (0.84, 0.88)]
    assert top1.difference_chart["zero"]
    assert mse.value_chart is mse.difference_chart is None
    endless = replace(top1.results[0], interval=Interval(-math.inf, math.inf, "Student's t"))
    assert MetricFigures("top1", [endless], None).value_chart["spans"] == [None]
    assert agreement_chart(runs.evaluation().agreement)["names"] == ["probabilities"]
    assert agreement_chart([]) is None


def test_bytes_count_for_the_op_that_uses_them():
    graph = GraphRecord(
        "main",
        "main",
        [
            NodeRecord("v", "VarHandleOp", weight_bytes=100),
            NodeRecord("r", "ReadVariableOp", ["v", "^w"]),
            NodeRecord("m", "MatMul", ["x", "r"]),
            NodeRecord("w", "Const", weight_bytes=7),
            NodeRecord("p", "Split", ["w:0"]),
            NodeRecord("lost", "Const", weight_bytes=3),
        ],
    )
    assert bytes_by_op([graph]) == {"MatMul": 100, "Split": 7, "unread": 3}


def test_bars_sum_up_what_does_not_fit():
    many = [charts.Pair(f"op{k}", 20 - k, 0) for k in range(20)]
    rows = charts.bars(many)
    assert rows["names"][-1] == "6 others"
    assert sum(rows["before"]) == sum(p.before for p in many)


def test_histograms_share_bins_and_count_what_is_beyond():
    warm = charts.workloads(runs.benchmark().models)[0]
    rows = charts.latencies(warm)
    assert len(rows["middles"]) == len(rows["shares"][0]) == len(rows["shares"][1])
    assert sum(rows["shares"][1]) == pytest.approx(1)
    assert rows["medians"] == pytest.approx([10.08, 5.08])


def test_graphs_know_what_changed():
    data = graph_data(runs.small().records)
    texts, (pair,) = data["texts"], data["pairs"]
    status = {texts[n[0]]: n[6] for n in pair["before"]}
    assert status == {
        "x": 0,
        "net/conv/kernel": 2,
        "net/conv/Conv2D": 2,
        "net/bn/scale": 2,
        "net/bn/mul": 1,
        "net/relu": 0,
        "y": 0,
    }
    varies = {texts[n[0]] for n in pair["after"] if n[7]}
    assert varies == {"x", "net/bn/mul", "net/relu", "y"}


def test_handles_that_nobody_reads_and_graphs_that_are_too_large_are_left_out(monkeypatch):
    handle = NodeRecord("v", "_Arg", outputs=["resource[]"])
    record = ModelRecord((), [GraphRecord("main", "main", [handle])], [])
    assert graph_data([record])["pairs"][0]["before"] == []
    monkeypatch.setattr("tfpare.html.graphs.MOST_NODES", 10)
    data = graph_data(runs.small().records)
    assert (data["pairs"], data["left_out"]) == ([], 1)
