"""The terminal reports of `tfpare optimize` and `tfpare verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tfpare.api_types import ModelStats, OptimizeReport
from tfpare.pipeline import StepReport
from tfpare.report_search import render_search
from tfpare.tables import facts, in_bytes, in_seconds, number, share, spaced, table, tail
from tfpare.verifier import OutputDifference, VerifyReport

_WORST_OUTPUTS = 8
_OPS_SHOWN = 8


def render(report: OptimizeReport) -> Group:
    """What `optimize` did, the outcome last."""
    parts: list[RenderableType] = [_steps(report.steps)]
    declined = [s for s in report.steps if s.declined]
    if declined:
        parts.append(spaced(_declined(declined)))
    parts.append(spaced(_sizes(report.before, report.after)))
    if report.verification is not None:
        parts.append(spaced(_differences(report.verification)))
    if report.search is not None:
        parts.append(spaced(render_search(report.search)))
    found = report.search.notes if report.search else ()
    notes = [*found, *report.notes, *(report.verification.notes if report.verification else ())]
    if notes:
        parts.append(spaced(_notes(notes)))
    parts.append(spaced(facts(_outcome(report))))
    return Group(*parts)


def render_verification(report: VerifyReport) -> Group:
    """How far the answers of two models are apart, the verdict last."""
    parts: list[RenderableType] = [_differences(report)]
    if report.notes:
        parts.append(spaced(_notes(report.notes)))
    parts.append(spaced(facts([("answers", verdict(report))])))
    return Group(*parts)


def _steps(steps: list[StepReport]) -> Table:
    """What changed something; the rest in one line."""
    rows: list[list[str]] = []
    idle = [s for s in steps if not s.applied]
    for one in steps:
        if one.applied:
            change = f"{-one.nodes_removed:+,}" if one.nodes_removed else ""
            rows.append([one.name, one.effect, number(one.applied), change, in_seconds(one.seconds)])
    columns = ["pass or rule", "effect", ">applied", ">nodes", ">time"]
    without = f"{len(idle)} others found nothing to do ({in_seconds(sum(s.seconds for s in idle))})"
    return table("What was done", columns, rows, without if idle else "")


def _declined(steps: list[StepReport]) -> Table:
    rows: list[list[str]] = []
    for one in steps:
        for reason, count in one.declined.most_common():
            rows.append([one.name, number(count), reason, tail(one.examples.get(reason, ""))])
    return table("What was left alone, and why", ["pass or rule", ">count", "reason", "for example"], rows)


def _sizes(before: ModelStats, after: ModelStats) -> Table:
    rows = [
        _size_row("nodes", before.nodes, after.nodes, number),
        _size_row("functions", before.functions, after.functions, number),
        _size_row("weights", before.weight_bytes, after.weight_bytes, in_bytes),
        _size_row("files", before.file_bytes, after.file_bytes, in_bytes),
    ]
    rows = [row for row in rows if row[1:3] != ["0", "0"]]
    names = sorted(before.ops.keys() | after.ops.keys(), key=lambda op: -abs(_change(op, before, after)))
    for name in [n for n in names if _change(n, before, after)][:_OPS_SHOWN]:
        rows.append(_size_row(f"  {name}", before.ops.get(name, 0), after.ops.get(name, 0), number))
    return table("Size", ["", ">before", ">after", ">change"], rows)


def _change(op: str, before: ModelStats, after: ModelStats) -> int:
    return after.ops.get(op, 0) - before.ops.get(op, 0)


def _size_row(name: str, before: int, after: int, form: Callable[[int], str]) -> list[str]:
    return [name, form(before), form(after), share(before, after)]


def _differences(report: VerifyReport) -> Group:
    ordered = sorted(report.outputs, key=lambda o: (o.ok, -o.max_rel))
    rows = [_difference_row(o) for o in ordered[:_WORST_OUTPUTS]]
    rest = len(ordered) - len(rows)
    note = f"{rest} more outputs differ less" if rest else ""
    columns = ["signature", "output", ">max |a−b|", ">relative", ">allowed", ">ULP", ">SQNR", ">top-1 same", ""]
    parts: list[RenderableType] = [table("Answers, original against optimized", columns, rows, note)]
    remarks: dict[str, str] = {}
    for one in ordered:
        if one.note:
            remarks.setdefault(one.note, f"{one.signature}, {one.output}: {one.note}")
    if remarks:
        parts.append(_lines("", list(remarks.values())[:_WORST_OUTPUTS]))
    return Group(*parts)


def _difference_row(one: OutputDifference) -> list[str]:
    top1 = "" if one.top1_agreement is None else f"{one.top1_agreement:.2%}"
    verdict = "DIFFERS" if not one.ok else "" if one.settled else "not settled"
    numbers = [f"{one.max_abs:.2g}", f"{one.max_rel:.2g}", f"{one.tolerance:.0e}" if one.tolerance else "0"]
    sqnr = "" if one.sqnr_db is None else f"{one.sqnr_db:.0f} dB"
    return [one.signature, one.output, *numbers, f"{one.max_ulp:.0f}", sqnr, top1, verdict]


def _notes(notes: Iterable[str]) -> Table:
    return _lines("Notes", notes)


def _lines(title: str, lines: Iterable[str]) -> Table:
    made = Table.grid(padding=(0, 1))
    if title:
        made.add_row(Text(title, style="bold"))
    for line in lines:
        made.add_row(escape(f"- {line}"))
    return made


def _outcome(report: OptimizeReport) -> Iterable[tuple[str, str]]:
    yield "answers", "not compared (--no-verify)" if report.verification is None else verdict(report.verification)
    phases = ", ".join(f"{name} {in_seconds(s)}" for name, s in report.seconds.items() if name != "total")
    yield "time", f"{in_seconds(report.seconds.get('total', 0.0))} ({phases})"
    yield "written", str(report.output)


def verdict(report: VerifyReport) -> str:
    """The outcome in one line."""
    fed = f"{report.feeds} sets of inputs, {len(report.outputs)} outputs, {in_seconds(report.seconds)}"
    if not report.ok:
        cause = f" First difference after: {report.first_difference}." if report.first_difference else ""
        return f"DIFFERENT beyond the tolerance ({fed}).{cause}"
    unsettled = sum(not o.settled for o in report.outputs)
    doubt = f"; {unsettled} outputs cannot be settled by any input" if unsettled else ""
    if report.max_rel == 0:
        return f"equal bit for bit ({fed}{doubt})"
    return f"the same; largest difference {report.max_rel:.2g} of the output's magnitude ({fed}{doubt})"
