"""The terminal report of `tfpare benchmark`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType

from tfpare.measure.types import BenchmarkReport, Environment, ModelTimes, OpTime, Workload
from tfpare.measure.words import in_words, labels, workload_words
from tfpare.tables import facts, in_bytes, in_ms, in_seconds, number, spaced, table, tail

_OPS_SHOWN, _NODES_SHOWN = 12, 12


def render(report: BenchmarkReport) -> Group:
    """What was measured, the verdict last."""
    names = labels([m.model for m in report.models])
    parts: list[RenderableType] = [_phases(report, names), spaced(_resources(report, names))]
    parts += [spaced(_warm(report, names, w.workload, k)) for k, w in enumerate(report.models[0].warm)]
    parts += [part for name, model in zip(names, report.models, strict=True) for part in _profile(name, model)]
    parts.append(spaced(facts(_environment(report.environment))))
    remarks = [f"warning: {w}" for w in report.warnings] + report.notes
    if remarks:
        parts.append(spaced(facts((str(k + 1), text) for k, text in enumerate(remarks))))
    parts.append(spaced(facts(_summary(report, names))))
    return Group(*parts)


def _phases(report: BenchmarkReport, names: list[str]) -> RenderableType:
    rows = [
        [name, in_seconds(statistics.median(m.import_s)), _spread(m.load_s), _spread(m.first_call_s)]
        for name, m in zip(names, report.models, strict=True)
    ]
    repeats = len(report.models[0].load_s)
    return table(
        "Phases",
        ["model", ">import TensorFlow", ">load", ">first call"],
        rows,
        f"medians of {repeats} fresh processes each, smallest and largest in brackets",
    )


def _spread(seconds: tuple[float, ...]) -> str:
    middle = in_seconds(statistics.median(seconds))
    return f"{middle} ({in_seconds(min(seconds))} – {in_seconds(max(seconds))})" if len(seconds) > 1 else middle


def _resources(report: BenchmarkReport, names: list[str]) -> RenderableType:
    rows: list[list[str]] = []
    for name, model in zip(names, report.models, strict=True):
        memory, files = model.memory, model.files
        sizes = [memory.imported, memory.loaded, memory.first_call_peak, memory.running_peak, files.raw]
        zipped = "" if files.zipped is None else in_bytes(files.zipped)
        rows.append([name, *(in_bytes(s) if s else "?" for s in sizes), zipped])
    columns = ["model", ">TensorFlow", ">loaded", ">peak, first call", ">peak, running", ">files", ">zipped"]
    return table("Memory of the process, and files", columns, rows)


def _warm(report: BenchmarkReport, names: list[str], workload: Workload, place: int) -> RenderableType:
    rows: list[list[str]] = []
    for name, model in zip(names, report.models, strict=True):
        calls = model.warm[place]
        t = calls.latency
        times = (t.min_ms, t.median_ms, t.p90_ms, t.p95_ms, t.p99_ms, t.max_ms)
        rows.append(
            [name, *(in_ms(ms / 1000) for ms in times), f"{t.cv:.0%}", number(t.count), f"{calls.rows_per_s:,.1f}"]
        )
    columns = ["model", ">min", ">median", ">p90", ">p95", ">p99", ">max", ">CV", ">calls", ">rows/s"]
    return table(f"Warm calls: {workload_words(workload)}", columns, rows)


def _profile(name: str, model: ModelTimes) -> Iterator[RenderableType]:
    if model.profile is None:
        return
    note = f"{model.profile.calls} traced calls in a Session; tracing takes time itself, so look at the shares"
    by_op = [[t.op, *_times(t)] for t in model.profile.by_op[:_OPS_SHOWN]]
    yield spaced(table(f"Time by op: {name}", ["op", ">a call", ">share", ">nodes"], by_op, note))
    by_node = [[tail(t.name, 55), t.op, *_times(t)[:2]] for t in model.profile.by_node[:_NODES_SHOWN]]
    yield spaced(table(f"Time by node: {name}", ["node", "op", ">a call", ">share"], by_node))


def _times(time: OpTime) -> list[str]:
    return [in_ms(time.ms / 1000), f"{time.share:.1%}", f"{time.calls:g}"]


def _environment(found: Environment) -> Iterable[tuple[str, str]]:
    quota = "" if found.quota_cores is None else f", quota {found.quota_cores:g}"
    yield "machine", f"{found.cpu}, {found.cores} cores{quota}, {in_bytes(found.memory_bytes)}"
    yield "instructions", " ".join(found.isa)
    onednn = {True: "oneDNN on", False: "oneDNN off", None: "oneDNN unknown"}[found.onednn]
    threads = f"threads intra {found.intra_threads or 'auto'}, inter {found.inter_threads or 'auto'}"
    yield "TensorFlow", f"{found.tensorflow} ({found.build}), {onednn}, {threads}"
    if found.variables:
        yield "variables", " ".join(f"{k}={v}" for k, v in found.variables.items())
    yield "load", f"{found.load:.2f} at the beginning; other programs took {found.others_share:.0%} of the processors"


def _summary(report: BenchmarkReport, names: list[str]) -> Iterator[tuple[str, str]]:
    yield "inputs", report.inputs
    yield "called by", report.models[0].via
    yield "time", in_seconds(report.seconds)
    if report.command:
        yield "again", report.command
    for ratio in report.ratios:
        phase = ratio.phase if ratio.workload is None else f"{ratio.phase}, {workload_words(ratio.workload)}"
        yield f"{names[ratio.model]} against {names[0]}", f"{phase}: {in_words(ratio)}"
