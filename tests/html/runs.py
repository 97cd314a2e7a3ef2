"""Runs for the tests of the page: small ones by hand, large ones by count, and one whose names are hostile."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

from tfpare.api_types import ModelStats, OptimizeReport
from tfpare.engine.driver import Commit
from tfpare.evaluation.types import AgreementReport, EvaluationReport, MetricResult, PairedTest
from tfpare.evaluation.types import Interval as MetricInterval
from tfpare.layers import LayerDifference, LayerReport
from tfpare.measure.compare_types import CompareReport
from tfpare.measure.rows import evaluation_rows, node_row, resource_rows, time_rows
from tfpare.measure.statistics import summarize
from tfpare.measure.types import (
    BenchmarkOptions,
    BenchmarkReport,
    Environment,
    FileSizes,
    Interval,
    Memory,
    ModelTimes,
    OpTime,
    Profile,
    Ratio,
    Verdict,
    WarmCalls,
    Workload,
)
from tfpare.pipeline import StepReport
from tfpare.proof import OutputDifference, VerifyReport
from tfpare.recording import GraphRecord, ModelRecord, NodeRecord
from tfpare.tuning.types import Candidate, LayerChoice, SearchReport

HOSTILE = [
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=2</script>",
    '"><img src=x onerror="window.hacked=3">',
    "'-alert(1)-'",
    "javascript:window.hacked=4",
    "line\u2028separator\u2029here",
    "{{ 7 * 7 }}${window.hacked=5}",
    "<!--<script>",
    "\\u003cscript\\u003e",
    "\ud800 lone",
]


def small(times: bool = True) -> OptimizeReport:
    """A convolution with its scale folded, in a scope, before a matrix product."""
    before = [
        NodeRecord("x", "Placeholder", outputs=["float32[?,8,8,3]"]),
        NodeRecord("net/conv/kernel", "Const", outputs=["float32[3,3,3,4]"], weight_bytes=432),
        NodeRecord(
            "net/conv/Conv2D", "Conv2D", ["x", "net/conv/kernel"], ["float32[?,8,8,4]"], {"strides": "[1, 1, 1, 1]"}
        ),
        NodeRecord("net/bn/scale", "Const", outputs=["float32[4]"], weight_bytes=16),
        NodeRecord("net/bn/mul", "Mul", ["net/conv/Conv2D", "net/bn/scale"], ["float32[?,8,8,4]"]),
        NodeRecord("net/relu", "Relu", ["net/bn/mul"], ["float32[?,8,8,4]"]),
        NodeRecord("y", "Identity", ["net/relu"], ["float32[?,8,8,4]"]),
    ]
    after = [
        NodeRecord("x", "Placeholder", outputs=["float32[?,8,8,3]"]),
        NodeRecord(
            "net/bn/mul/folded", "Const", outputs=["float32[3,3,3,4]"], made_by="fold_mul_into_linear", weight_bytes=432
        ),
        NodeRecord(
            "net/bn/mul", "Conv2D", ["x", "net/bn/mul/folded"], ["float32[?,8,8,4]"], made_by="fold_mul_into_linear"
        ),
        NodeRecord("net/relu", "Relu", ["net/bn/mul"], ["float32[?,8,8,4]"]),
        NodeRecord("y", "Identity", ["net/relu"], ["float32[?,8,8,4]"]),
    ]
    commit = Commit(
        "fold_mul_into_linear",
        "net/bn/mul",
        "main",
        ("net/bn/mul/folded", "net/bn/mul"),
        ("net/bn/mul", "net/conv/Conv2D", "net/bn/scale", "net/conv/kernel"),
    )
    record = ModelRecord(
        ("serve",), [GraphRecord("main", "serving_default", before)], [GraphRecord("main", "serving_default", after)]
    )
    record.commits = [commit]
    report = report_of([record])
    report.layers = [
        LayerReport(
            "serving_default",
            [LayerDifference("net/relu", "Relu", 3, 1e-7, 2e-7), LayerDifference("y", "Identity", 4, 0.0, 0.0)],
            2,
        )
    ]
    report.benchmark = benchmark() if times else None
    return report


def report_of(records: list[ModelRecord]) -> OptimizeReport:
    return OptimizeReport(
        input=Path("models/net"),
        output=Path("models/fast"),
        form="saved_model_v2",
        preset="fast",
        before=ModelStats(7, 1, {"Conv2D": 1, "Mul": 1, "Const": 2, "Relu": 1, "Identity": 1}, 448, 5000),
        after=ModelStats(5, 1, {"Conv2D": 1, "Const": 1, "Relu": 1, "Identity": 1}, 432, 4000),
        steps=[
            StepReport("fold_mul_into_linear", "rule", "rounding", 1, seconds=0.01),
            StepReport("fuse_pad_into_conv", "rule", "rounding"),
        ],
        verification=VerifyReport(
            True, [OutputDifference("serving_default", "y", "float32", True, 1e-7, 2e-7)], 3, 1.0
        ),
        notes=["a note"],
        seconds={"read": 0.1, "total": 1.5},
        records=records,
        command="tfpare optimize models/net -o models/fast --report r.html",
    )


def benchmark() -> BenchmarkReport:
    models = [_times("models/net", 10.0), _times("models/fast", 5.0)]
    seen = Interval(0.5, 0.45, 0.55)
    ratios = [Ratio(1, "warm calls", Workload(), seen, 40, 3, 0.03, Verdict.FASTER)]
    ratios += [Ratio(1, p, None, Interval(1, 0.9, 1.1), 3, 3, 0.03, Verdict.NONE) for p in ("load", "first call")]
    machine = Environment(
        "A processor", ("avx2",), 2, 2, None, 8_000_000_000, "", "Linux", "3.11", "2.21.0", "wheel", True
    )
    return BenchmarkReport(models, ratios, machine, "drawn by signature", BenchmarkOptions())


def _times(path: str, ms: float) -> ModelTimes:
    samples = tuple(ms + 0.01 * (k % 17) for k in range(100))
    warm = WarmCalls(Workload(), summarize(samples), 1.0, 100.0, 100.0, samples, (50, 50))
    one = OpTime("Conv2D", "", ms / 2, 1.0, 0.5)
    profile = Profile(10, ms, (one,), (OpTime("Conv2D", "conv", ms / 2, 1.0, 0.5),))
    return ModelTimes(
        Path(path),
        "saved_model_v2",
        "signature",
        "serving_default",
        (1.0,),
        (0.2,),
        (0.4,),
        (warm,),
        Memory(running_peak=10**8),
        FileSizes(5000, 2000),
        profile,
    )


def evaluation(metrics: bool = True) -> EvaluationReport:
    """A proportion and an error of two models, and two outputs, one of which has classes."""
    before, after = Path("models/net"), Path("models/fast")
    results = [
        MetricResult("top1", before, 0.89, MetricInterval(0.87, 0.905, "Wilson"), 1280),
        MetricResult("top1", after, 0.86, MetricInterval(0.84, 0.88, "Wilson"), 1280),
        MetricResult("mse", before, 2.5, MetricInterval(2.25, 2.75, "Student's t"), 1280, higher_is_better=False),
        MetricResult("mse", after, math.nan, None, 1280, higher_is_better=False, note="3 samples are NaN"),
    ]
    difference = MetricInterval(-0.04, -0.02, "Newcombe")
    words = "top1 loss on 1,280 samples (-3.00 points, 95% interval -4.00 to -2.00, p = 1e-06)"
    paired = [PairedTest("top1", 0.89, 0.86, -0.03, difference, 1e-6, "McNemar", 1280, "loss", words, 40, 2)]
    agreement = [
        AgreementReport(
            "probabilities",
            1280,
            0.97,
            MetricInterval(0.96, 0.98, "Wilson"),
            0.2,
            0.01,
            0.3,
            0.99,
            0.9,
            0.001,
            0.2,
            "the output",
            4,
        ),
        AgreementReport("embedding", 1280, None, None, 0.02, 0.001, 0.03, 0.9999, 0.999, None, None),
    ]
    report = EvaluationReport(
        before,
        after,
        "eval.npz, 1280 rows",
        "serving_default",
        "probabilities",
        1280,
        2,
        ["eval.npz row 3: it holds NaN"],
        results if metrics else [],
        paired if metrics else [],
        agreement,
        32,
        "local",
        12.5,
        ["a note of the evaluation"],
    )
    report.command = "tfpare evaluate models/net --against models/fast --data eval.npz --metric top1,mse --json"
    return report


def evaluation_of_one() -> EvaluationReport:
    """The same without the second model."""
    report = evaluation()
    report.against, report.paired, report.agreement = None, [], []
    report.results = [r for r in report.results if r.model == report.model]
    return report


def comparison() -> CompareReport:
    times, evaluated = benchmark(), evaluation()
    proof = VerifyReport(True, [OutputDifference("serving_default", "y", "float32", True, 1e-7, 2e-7)], 3, 1.0)
    rows = [*time_rows(times), *resource_rows(*times.models), node_row(7, 5), *evaluation_rows(evaluated)]
    times.command = "tfpare compare models/net models/fast --data eval.npz --metric top1,mse --json"
    evaluated.command = ""
    return CompareReport(
        Path("models/net"),
        Path("models/fast"),
        False,
        rows,
        times,
        (7, 5),
        proof,
        evaluated,
        ["a note of the comparison"],
    )


def chain(count: int, name) -> OptimizeReport:
    """`count` nodes in a row; every tenth is gone after."""
    names = [name(k) for k in range(count)]
    before = [NodeRecord(names[0], "Placeholder", outputs=["float32[?]"])]
    before += [
        NodeRecord(b, "Relu" if k % 10 else "Neg", [a], ["float32[?]"])
        for k, (a, b) in enumerate(itertools.pairwise(names))
    ]
    kept = [n for k, n in enumerate(before) if k == 0 or n.op == "Relu"]
    after = [NodeRecord(n.name, n.op, [kept[k - 1].name] if k else [], n.outputs) for k, n in enumerate(kept)]
    return report_of([ModelRecord((), [GraphRecord("main", "chain", before)], [GraphRecord("main", "chain", after)])])


def hostile() -> OptimizeReport:
    """Every text that a model can choose is hostile."""
    report = small()
    graph = report.records[0].before[0]
    for text in HOSTILE:
        graph.nodes.append(
            NodeRecord(f"net/{text}", f"Op{text}", ["x"], [f"float32{text}"], {f"key{text}": text}, text)
        )
        report.before.ops[f"Op{text}"] = 3
        report.notes.append(text)
        report.steps.append(StepReport(f"rule{text}", "rule", "exact", 1, examples={text: text}))
        report.steps[-1].declined[text] = 2
        report.verification.outputs.append(OutputDifference(text, text, text, False, note=text))
        report.layers[0].layers.append(LayerDifference(text, text, 3, 1e-3, 1e-3, text))
        report.records[0].commits.append(Commit(text, text, "main", (text,), (f"net/{text}",)))
    graph.label = HOSTILE[1]
    report.records[0].after[0].label = HOSTILE[1]
    report.layers[0].signature = HOSTILE[0]
    report.input = Path(HOSTILE[1].replace("/", "\\"))
    report.command = HOSTILE[1]
    report.benchmark.inputs = HOSTILE[2]
    report.search = SearchReport(
        0.01,
        [Candidate(text, text, (text,), 0.5, text, note=text, chosen=True) for text in HOSTILE],
        [LayerChoice(text, text, text, text) for text in HOSTILE],
        HOSTILE[0],
        list(HOSTILE),
    )
    report.benchmark.warnings.append(HOSTILE[1])
    return report


def hostile_evaluation() -> EvaluationReport:
    """Names of outputs and metrics, and texts about samples."""
    report = evaluation()
    report.data, report.command, report.skipped_samples = HOSTILE[0], HOSTILE[1], list(HOSTILE)
    for k, text in enumerate(HOSTILE):
        report.agreement.append(replace(report.agreement[0], output=text))
        report.results.append(MetricResult(text, Path(text), 0.5, MetricInterval(0.4, 0.6, text), 10, note=text))
        report.paired.append(replace(report.paired[0], metric=text, words=text, method=text))
        report.notes.append(f"{k}{text}")
    return report
