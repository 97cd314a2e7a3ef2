"""The table of `tfpare compare`, for terminals and as Markdown."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tfpare.measure.compare_types import CompareReport
from tfpare.measure.rows import headline
from tfpare.tables import facts, in_seconds, spaced, table

_COLUMNS = ("", "Before", "After", "Comment")


def render(report: CompareReport) -> Group:
    """The table, then what weakens it, the verdict last."""
    rows = [[r.what, r.before, r.after, r.comment] for r in report.rows]
    parts: list[RenderableType] = [
        table(f"{report.before} → {report.after}", ["", ">before", ">after", "comment"], rows),
        spaced(facts(_circumstances(report))),
    ]
    return Group(*parts)


def _circumstances(report: CompareReport) -> list[tuple[str, str]]:
    found = report.benchmark.environment
    data = report.evaluation.data if report.evaluation is not None else report.benchmark.inputs
    lines = [("machine", f"{found.cpu}, {found.cores} cores, TensorFlow {found.tensorflow}"), ("inputs", data)]
    lines += [("warning", w) for w in report.benchmark.warnings] + [("note", n) for n in report.notes]
    return [*lines, ("time", in_seconds(report.seconds)), ("result", verdict(report))]


def verdict(report: CompareReport) -> str:
    """The outcome in one line."""
    if report.evaluation is not None and report.evaluation.paired:
        answers = "no loss seen" if report.ok else "LOSS"
    elif report.verification is None:
        answers = "answers not compared"
    else:
        answers = "answers the same" if report.ok else "answers DIFFER"
    return f"{headline(report.benchmark)}, {answers}"


def markdown(report: CompareReport) -> str:
    """A table that GitHub shows; what comes from models is escaped."""
    lines = [_line(_COLUMNS), _line(("---", "---:", "---:", "---"))]
    lines += [_line([_escaped(cell) for cell in (r.what, r.before, r.after, r.comment)]) for r in report.rows]
    remarks = [f"- {name}: {_escaped(text)}" for name, text in _circumstances(report)]
    return "\n".join([*lines, "", *remarks])


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
