"""The terminal report of `tfpare evaluate`."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType

from tfpare.evaluation.types import AgreementReport, EvaluationReport, Interval, MetricResult
from tfpare.tables import facts, in_seconds, number, spaced, table

_PERCENT = ("top1", "top5", "accuracy")


def render(report: EvaluationReport) -> Group:
    """What was found, the verdict last."""
    parts: list[RenderableType] = []
    if report.results:
        parts.append(_results(report))
    if report.agreement:
        parts.append(spaced(_agreement(report)) if parts else _agreement(report))
    parts.append(spaced(facts(_circumstances(report))))
    if report.paired:
        parts.append(spaced(facts((t.metric, t.words) for t in report.paired)))
    return Group(*parts)


def _results(report: EvaluationReport) -> RenderableType:
    rows = [
        [r.metric, str(r.model), value_words(r), interval_words(r.interval), number(r.samples), r.note]
        for r in report.results
    ]
    columns = ["metric", "model", ">value", "95 % interval", ">samples", "note"]
    if not any(r.note for r in report.results):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    methods = sorted({f"{r.metric}: {r.interval.method}" for r in report.results if r.interval})
    return table(f"Output {report.output!r} of {report.signature!r}", columns, rows, "; ".join(methods))


def value_words(result: MetricResult) -> str:
    """`0.8900 ± 0.017`."""
    if math.isnan(result.value):
        return "NaN"
    half = "" if result.interval is None else f" ± {_half(result.interval):.2g}"
    return f"{result.value:.4f}{half}" if result.metric in (*_PERCENT, "auc") else f"{result.value:.6g}{half}"


def _half(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def interval_words(interval: Interval | None) -> str:
    """`0.87 to 0.91`."""
    return "" if interval is None else f"{interval.low:.4g} to {interval.high:.4g}"


def _agreement(report: EvaluationReport) -> RenderableType:
    columns = ["output", ">same top 1", "95 % interval", ">largest |a-b|", ">mean |a-b|", ">mean cosine", ">mean KL"]
    rows = [_agreement_row(a) for a in report.agreement]
    kinds = sorted({a.kl_of for a in report.agreement if a.kl_of})
    note = f"KL in nats, of {' or '.join(kinds)}" if kinds else ""
    special = sum(a.special_differences for a in report.agreement)
    if special:
        note = f"{number(special)} entries are NaN or infinite in one model alone. {note}"
    return table(f"Agreement with {report.against}", columns, rows, note)


def _agreement_row(one: AgreementReport) -> list[str]:
    share = "" if one.top1 is None else f"{one.top1:.4f}"
    cosine = "" if one.mean_cosine is None else f"{one.mean_cosine:.8f}"
    distances = [_small(one.max_abs), _small(one.mean_abs), cosine, _small(one.mean_kl)]
    return [one.output, share, interval_words(one.interval), *distances]


def _small(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _circumstances(report: EvaluationReport) -> list[tuple[str, str]]:
    rate = f", {report.samples / report.seconds:,.0f} samples/s" if report.seconds > 0 else ""
    rows = [
        ("data", report.data),
        ("samples", f"{number(report.samples)} in batches of {report.batch_size}"),
        ("run", f"{report.engine}, {in_seconds(report.seconds)} with starting{rate}"),
    ]
    if report.skipped:
        rows.append(("skipped", f"{number(report.skipped)} samples could not be used:"))
        rows += [("", message) for message in report.skipped_samples]
        more = report.skipped - len(report.skipped_samples)
        rows += [("", f"… and {number(more)} more")] if more > 0 else []
    return [*rows, *(("note", note) for note in report.notes)]
