"""What the page says first: a few large numbers, and the table Before | After | Comment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tfpare.api_types import OptimizeReport
from tfpare.evaluation.types import AgreementReport, EvaluationReport, MetricResult, PairedTest
from tfpare.html.contents import Contents
from tfpare.measure.compare_types import Row
from tfpare.measure.rows import evaluation_rows, headline, node_row, resource_rows, time_rows
from tfpare.measure.types import BenchmarkReport, Ratio, Verdict
from tfpare.proof import VerifyReport
from tfpare.tables import in_bytes, in_ms, number, share


@dataclass(frozen=True, slots=True)
class Tile:
    """One large number: `tone` is `good`, `bad` or empty."""

    name: str
    value: str
    detail: str
    tone: str = ""


def tiles(shown: Contents) -> list[Tile]:
    """Answers, quality, speed, size, nodes: what of it is known."""
    found: list[Tile] = []
    if shown.run is not None or shown.comparison is not None:
        found.append(_answers(shown.verification, "--no-verify" if shown.run is not None else ""))
    if shown.evaluation is not None:
        found += _quality(shown.evaluation)
    if shown.times is not None:
        found += _latency(shown.times)
    if shown.run is not None:
        before, after = shown.run.before, shown.run.after
        found.append(_size_tile("files", before.file_bytes, after.file_bytes))
        found.append(_node_tile(before.nodes, after.nodes))
    elif shown.times is not None:
        found.append(_size_tile("files", *(m.files.raw for m in shown.times.models)))
    if shown.run is None and shown.comparison is not None:
        nodes = [n for n in shown.comparison.nodes if n is not None]
        found += [_node_tile(*nodes)] if len(nodes) == 2 else []
    return found


def _answers(proof: VerifyReport | None, reason: str) -> Tile:
    if proof is None:
        return Tile("answers", "not compared", reason, "bad")
    detail = f"{number(proof.feeds)} sets of inputs, {number(len(proof.outputs))} outputs"
    if not proof.ok:
        return Tile("answers", "different", detail, "bad")
    if proof.max_rel == 0:
        return Tile("answers", "equal", f"bit for bit; {detail}", "good")
    return Tile("answers", "same", f"largest difference {proof.max_rel:.1e}; {detail}", "good")


def _quality(report: EvaluationReport) -> Iterator[Tile]:
    """The tests of metrics; without a second model the metrics, without metrics how far the models agree."""
    if report.paired:
        yield from map(_test_tile, report.paired)
    elif report.results:
        yield from map(_metric_tile, report.results)
    else:
        of_classes = [a for a in report.agreement if a.top1 is not None]
        yield from map(_agreement_tile, of_classes[:1])


def _test_tile(test: PairedTest) -> Tile:
    tone = {"loss": "bad", "gain": "good", "no loss seen": "good"}.get(test.verdict, "")
    return Tile(
        test.metric, test.verdict, f"{test.before:.4g} → {test.after:.4g}, {number(test.samples)} samples", tone
    )


def _metric_tile(result: MetricResult) -> Tile:
    value = "NaN" if math.isnan(result.value) else f"{result.value:.4g}"
    between = "" if result.interval is None else f"{result.interval.low:.4g} to {result.interval.high:.4g}, "
    return Tile(result.metric, value, f"{between}{number(result.samples)} samples")


def _agreement_tile(one: AgreementReport) -> Tile:
    return Tile("same top class", f"{one.top1:.2%}", f"{one.output}, {number(one.samples)} samples")


def _latency(times: BenchmarkReport) -> Iterator[Tile]:
    ratio = _warm_ratio(times)
    if ratio is None:
        return
    first, second = (m.warm[0].latency.median_ms for m in times.models)
    tone = {Verdict.FASTER: "good", Verdict.SLOWER: "bad"}.get(ratio.verdict, "")
    yield Tile("latency", headline(times), f"{in_ms(first / 1000)} → {in_ms(second / 1000)}", tone)


def _warm_ratio(times: BenchmarkReport) -> Ratio | None:
    return next((r for r in times.ratios if r.phase == "warm calls"), None)


def _size_tile(name: str, before: int, after: int) -> Tile:
    return Tile(name, share(before, after) or "same", f"{in_bytes(before)} → {in_bytes(after)}", _tone(before, after))


def _node_tile(before: int, after: int) -> Tile:
    detail = f"{number(before)} → {number(after)}"
    return Tile("nodes", share(before, after) or "same", detail, _tone(before, after))


def _tone(before: int, after: int) -> str:
    return "good" if after < before else ""


def summary(shown: Contents) -> list[Row]:
    """Before, after and what it means; the table of `tfpare compare` is shown as it was made. Empty for one model."""
    if shown.models[1] is None:
        return []
    if shown.run is None and shown.comparison is not None and shown.measured is None and shown.evaluated is None:
        return shown.comparison.rows
    rows: list[Row] = []
    if shown.times is not None:
        rows += [*time_rows(shown.times), *resource_rows(*shown.times.models)]
    if shown.run is not None:
        rows += _counts(shown.run, with_files=shown.times is None)
    elif shown.comparison is not None:
        rows.append(node_row(*shown.comparison.nodes))
    if shown.evaluation is not None:
        rows += evaluation_rows(shown.evaluation)
    return rows


def _counts(run: OptimizeReport, with_files: bool) -> Iterator[Row]:
    before, after = run.before, run.after
    if with_files:
        yield Row("Size on disk", in_bytes(before.file_bytes), in_bytes(after.file_bytes), "")
    first, second = before.weight_bytes, after.weight_bytes
    yield Row("Weights", in_bytes(first), in_bytes(second), share(first, second))
    yield node_row(before.nodes, after.nodes)
    for what, first, second in (
        ("Functions", before.functions, after.functions),
        ("Kinds of ops", len(before.ops), len(after.ops)),
    ):
        yield Row(what, number(first), number(second), share(first, second))
