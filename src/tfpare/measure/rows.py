"""The lines of the table Before | After | Comment."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from tfpare.evaluation.types import AgreementReport, EvaluationReport, MetricResult
from tfpare.measure.compare_types import Row
from tfpare.measure.types import BenchmarkReport, ModelTimes, Ratio, Verdict, WarmCalls, Workload
from tfpare.measure.words import in_words, times_as_fast, workload_words
from tfpare.proof import VerifyReport
from tfpare.tables import in_bytes, in_ms, in_seconds, number


def time_rows(report: BenchmarkReport) -> Iterator[Row]:
    """Latency and throughput of each workload, the first call, loading."""
    before, after = report.models
    ratios = {(r.phase, r.workload): r for r in report.ratios}
    for a, b in zip(before.warm, after.warm, strict=True):
        if a.workload.feeding:
            yield from _warm_rows(a, b, ratios["warm calls", a.workload])
    yield _phase_row("First call", before.first_call_s, after.first_call_s, ratios["first call", None])
    yield _phase_row("Load", before.load_s, after.load_s, ratios["load", None])


def _warm_rows(a: WarmCalls, b: WarmCalls, ratio: Ratio) -> Iterator[Row]:
    words = workload_words(a.workload)
    x, y = a.latency, b.latency
    yield Row(f"Latency, median ({words})", _ms(x.median_ms), _ms(y.median_ms), in_words(ratio))
    counts = f"of {number(x.count)} and {number(y.count)} calls"
    yield Row(f"Latency, p99 ({words})", _ms(x.p99_ms), _ms(y.p99_ms), counts)
    if a.workload.rate == 0:
        yield Row(f"Throughput ({words})", _rate(a), _rate(b), _throughput(a, b, ratio))


def _ms(value: float) -> str:
    return in_ms(value / 1000)


def _rate(calls: WarmCalls) -> str:
    return f"{calls.rows_per_s:,.1f} rows/s"


def _throughput(a: WarmCalls, b: WarmCalls, ratio: Ratio) -> str:
    if ratio.verdict is Verdict.NONE:
        return ratio.verdict.value
    factor = b.rows_per_s / a.rows_per_s
    return f"{factor:.2f}× as many"


def _phase_row(what: str, before: tuple[float, ...], after: tuple[float, ...], ratio: Ratio) -> Row:
    first, other = in_seconds(statistics.median(before)), in_seconds(statistics.median(after))
    return Row(what, first, other, in_words(ratio))


def resource_rows(before: ModelTimes, after: ModelTimes) -> Iterator[Row]:
    """Memory of the process and bytes on disk."""
    for what, a, b in (
        ("RAM, loaded", before.memory.loaded, after.memory.loaded),
        ("RAM, peak of first call", before.memory.first_call_peak, after.memory.first_call_peak),
        ("RAM, peak of warm calls", before.memory.running_peak, after.memory.running_peak),
    ):
        if a and b:
            yield Row(what, in_bytes(a), in_bytes(b), f"{_change(a, b, 'less', 'more')}, TensorFlow included")
    yield _size_row("Size on disk", before.files.raw, after.files.raw)
    if before.files.zipped is not None and after.files.zipped is not None:
        yield _size_row("Size, zipped", before.files.zipped, after.files.zipped)


def _size_row(what: str, before: int, after: int) -> Row:
    return Row(what, in_bytes(before), in_bytes(after), _change(before, after, "smaller", "larger"))


def node_row(before: int | None, after: int | None) -> Row:
    """Nodes of all graphs and functions."""
    if before is None or after is None:
        first, other = ("?" if n is None else number(n) for n in (before, after))
        return Row("Nodes", first, other, "")
    return Row("Nodes", number(before), number(after), _change(before, after, "fewer", "more"))


def _change(before: int, after: int, less: str, more: str) -> str:
    if before == after or not before:
        return "the same" if before == after else ""
    share = abs(after - before) / before
    text = f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
    return f"{text} {less if after < before else more}"


def evaluation_rows(report: EvaluationReport) -> Iterator[Row]:
    """Each metric with its paired test, and agreement."""
    tests = {t.metric: t.words for t in report.paired}
    by_metric: dict[str, list[MetricResult]] = {}
    for result in report.results:
        by_metric.setdefault(result.metric, []).append(result)
    for metric, results in by_metric.items():
        shown = [_value(r) for r in results]
        yield Row(metric, shown[0], shown[-1], tests.get(metric, f"{number(results[0].samples)} samples"))
    for one in report.agreement:
        yield _agreement_row(one)


def _value(result: MetricResult) -> str:
    if math.isnan(result.value):
        return "NaN"
    interval = result.interval
    return f"{result.value:.4g}" + ("" if interval is None else f" ({interval.low:.4g} to {interval.high:.4g})")


def _agreement_row(one: AgreementReport) -> Row:
    on = f"on {number(one.samples)} samples"
    if one.top1 is not None:
        largest = "" if one.max_abs is None else f"; largest difference {one.max_abs:.2g}"
        return Row(f"Same top class ({one.output})", "", f"{one.top1:.2%}", f"{on}{largest}")
    shown = "" if one.max_abs is None else f"{one.max_abs:.2g}"
    return Row(f"Largest difference ({one.output})", "", shown, on)


def verification_rows(report: VerifyReport, with_agreement: bool) -> Iterator[Row]:
    """How far the answers to the same inputs are apart.

    Args:
        report: the outcome.
        with_agreement: also the share of rows with the same top class.
    """
    same = [o.top1_agreement for o in report.outputs if o.top1_agreement is not None]
    if with_agreement and same:
        yield Row("Same top class", "", f"{min(same):.2%}", "drawn inputs: no statement about accuracy")
    said = "answers are the same" if report.ok else "answers DIFFER beyond the tolerance"
    if report.ok and report.max_rel == 0:
        said = "equal bit for bit"
    yield Row("Largest difference", "", f"{report.max_rel:.2g}", f"{said} ({report.feeds} sets of inputs)")


def headline(report: BenchmarkReport) -> str:
    """The verdict of the first workload in a few words: `2.10× faster`, or `no difference seen`."""
    workload: Workload = report.models[0].warm[0].workload
    ratio = next(r for r in report.ratios if r.workload == workload)
    return ratio.verdict.value if ratio.verdict is Verdict.NONE else times_as_fast(ratio.interval.value)
