"""What the page says first: a few large numbers, and the table Before | After | Comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tfpare.api_types import OptimizeReport
from tfpare.measure.types import BenchmarkReport, Ratio, Verdict
from tfpare.measure.words import in_words, times_as_fast, workload_words
from tfpare.tables import in_bytes, in_ms, in_seconds, number, share


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One large number: `tone` is `good`, `bad` or empty."""

    name: str
    value: str
    detail: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the summary."""

    name: str
    before: str
    after: str
    comment: str


def tiles(report: OptimizeReport) -> list[Tile]:
    """Answers, speed, size, nodes."""
    found = [_answers(report)]
    ratio = _warm_ratio(report.benchmark)
    if ratio is not None and report.benchmark is not None:
        first, second = (m.warm[0].latency.median_ms for m in report.benchmark.models[:2])
        tone = {Verdict.FASTER: "good", Verdict.SLOWER: "bad"}.get(ratio.verdict, "")
        found.append(Tile("latency", _short(ratio), f"{in_ms(first / 1000)} → {in_ms(second / 1000)}", tone))
    before, after = report.before, report.after
    found.append(_size_tile("files", before.file_bytes, after.file_bytes))
    detail = f"{number(before.nodes)} → {number(after.nodes)}"
    found.append(Tile("nodes", share(before.nodes, after.nodes) or "same", detail, _tone(before.nodes, after.nodes)))
    return found


def _answers(report: OptimizeReport) -> Tile:
    proof = report.verification
    if proof is None:
        return Tile("answers", "not compared", "--no-verify", "bad")
    detail = f"{number(proof.feeds)} sets of inputs, {number(len(proof.outputs))} outputs"
    if not proof.ok:
        return Tile("answers", "different", detail, "bad")
    if proof.max_rel == 0:
        return Tile("answers", "equal", f"bit for bit; {detail}", "good")
    return Tile("answers", "same", f"largest difference {proof.max_rel:.1e}; {detail}", "good")


def _size_tile(name: str, before: int, after: int) -> Tile:
    return Tile(name, share(before, after) or "same", f"{in_bytes(before)} → {in_bytes(after)}", _tone(before, after))


def _tone(before: int, after: int) -> str:
    return "good" if after < before else ""


def _warm_ratio(benchmark: BenchmarkReport | None) -> Ratio | None:
    ratios = benchmark.ratios if benchmark else []
    return next((r for r in ratios if r.phase == "warm calls"), None)


def _short(ratio: Ratio) -> str:
    return ratio.verdict.value if ratio.verdict is Verdict.NONE else times_as_fast(ratio.interval.value)


def _in_words(ratio: Ratio | None) -> str:
    return in_words(ratio) if ratio is not None else ""


def summary(report: OptimizeReport) -> list[Row]:
    """Before, after and what it means."""
    rows = [*_times(report.benchmark)] if report.benchmark else []
    before, after = report.before, report.after
    rows.append(_bytes_row("files", before.file_bytes, after.file_bytes))
    rows.append(_bytes_row("weights", before.weight_bytes, after.weight_bytes))
    for name, first, second in (
        ("nodes", before.nodes, after.nodes),
        ("functions", before.functions, after.functions),
        ("kinds of ops", len(before.ops), len(after.ops)),
    ):
        rows.append(Row(name, number(first), number(second), share(first, second)))
    return rows


def _bytes_row(name: str, before: int, after: int) -> Row:
    return Row(name, in_bytes(before), in_bytes(after), share(before, after))


def _times(benchmark: BenchmarkReport) -> Iterator[Row]:
    if len(benchmark.models) < 2:
        return
    first, second = benchmark.models[:2]
    of_second = {w.workload: w for w in second.warm}
    ratios = {(r.phase, r.workload): r for r in benchmark.ratios if r.model == 1}
    for one in first.warm:
        other = of_second.get(one.workload)
        if other is None:
            continue
        kind = workload_words(one.workload)
        ratio = ratios.get(("warm calls", one.workload))
        medians = [in_ms(x.latency.median_ms / 1000) for x in (one, other)]
        yield Row(f"median latency, {kind}", medians[0], medians[1], _in_words(ratio))
        yield Row(f"rows a second, {kind}", f"{one.rows_per_s:,.1f}", f"{other.rows_per_s:,.1f}", "")
    for name, phase, a, b in (
        ("first call", "first call", first.first_call_s, second.first_call_s),
        ("load", "load", first.load_s, second.load_s),
    ):
        if a and b:
            yield Row(name, in_seconds(median(a)), in_seconds(median(b)), _in_words(ratios.get((phase, None))))
    if first.memory.running_peak and second.memory.running_peak:
        a, b = first.memory.running_peak, second.memory.running_peak
        yield _bytes_row("memory while running (peak)", a, b)
    if first.files.zipped and second.files.zipped:
        yield _bytes_row("files in a zip", first.files.zipped, second.files.zipped)
