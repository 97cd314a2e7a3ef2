"""Runs for the tests of the page: small ones by hand, large ones by count, and one whose names are hostile."""

from __future__ import annotations

import itertools
from pathlib import Path

from tfpare.api_types import ModelStats, OptimizeReport
from tfpare.engine.driver import Commit
from tfpare.layers import LayerDifference, LayerReport
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
    ratio = Ratio(1, "warm calls", Workload(), Interval(0.5, 0.45, 0.55), 40, 3, 0.03, Verdict.FASTER)
    machine = Environment(
        "A processor", ("avx2",), 2, 2, None, 8_000_000_000, "", "Linux", "3.11", "2.21.0", "wheel", True
    )
    return BenchmarkReport(models, [ratio], machine, "drawn by signature", BenchmarkOptions())


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
    report.benchmark.warnings.append(HOSTILE[1])
    return report
