"""The terminal report of `tfpare transform`."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from tfpare.compat.files import TransformReport
from tfpare.report import render_verification
from tfpare.tables import facts, in_bytes, in_seconds, number, share, spaced, table

_OPS_SHOWN = 12


def render(report: TransformReport) -> Group:
    """What each transform did, what became of the ops, where the result is."""
    parts: list[RenderableType] = [_steps(report)]
    changed = _ops(report)
    if changed:
        shown = changed[:_OPS_SHOWN]
        note = f"… and {len(changed) - len(shown)} more ops changed in number" if len(changed) > len(shown) else ""
        parts.append(spaced(table("Ops", ["op", ">before", ">after"], shown, note)))
    declined = [[d.name, why, number(count)] for d in report.details for why, count in d.declined.most_common(3)]
    if declined:
        parts.append(spaced(table("Left alone", ["pass or rule", "reason", ">times"], declined)))
    for note in report.notes:
        parts.append(spaced(Text(f"Note: {note}")))
    if report.verification is not None:
        parts.append(spaced(render_verification(report.verification)))
    parts.append(spaced(facts(_outcome(report))))
    return Group(*parts)


def _steps(report: TransformReport) -> RenderableType:
    rows = [
        [s.call, number(s.nodes_before), number(s.nodes_after), in_seconds(s.seconds), "left out" if s.error else ""]
        for s in report.steps
    ]
    return table("Transforms", ["transform", ">nodes before", ">after", ">time", ""], rows)


def _ops(report: TransformReport) -> list[list[str]]:
    before, after = report.ops_before, report.ops_after
    changes = {op: after.get(op, 0) - before.get(op, 0) for op in {*before, *after}}
    order = sorted((op for op, change in changes.items() if change), key=lambda op: (-abs(changes[op]), op))
    return [[op, number(before.get(op, 0)), number(after.get(op, 0))] for op in order]


def _outcome(report: TransformReport) -> list[tuple[str, str]]:
    nodes = [sum(report.ops_before.values()), sum(report.ops_after.values())]
    change = share(report.bytes_before, report.bytes_after)
    sizes = f"{in_bytes(report.bytes_before)} → {in_bytes(report.bytes_after)}" + (f" ({change})" if change else "")
    written = report.verification is None or report.verification.ok
    return [
        ("nodes", f"{number(nodes[0])} → {number(nodes[1])}"),
        ("size", sizes),
        ("time", in_seconds(report.seconds)),
        ("written", str(report.output) if written else "nothing: the answers differ"),
    ]
