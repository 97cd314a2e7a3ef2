"""The part of the terminal report that says how the precision was found."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tfpare.measure.words import times_as_fast
from tfpare.tables import in_bytes, spaced, table, tail
from tfpare.tuning.types import Candidate, LayerChoice, SearchReport

_LAYERS_SHOWN = 20


def render_search(report: SearchReport) -> Group:
    """The candidates, and the layers of the chosen one that stay in float."""
    columns = ["precision", ">layers back", ">loss", ">shortest call", "against the original", ">files", ""]
    rows = [_row(c) for c in report.candidates]
    note = f"allowed loss {report.max_drop:g}, on {report.data}" if report.data else "no samples: no loss measured"
    parts: list[RenderableType] = [table("Which precision", columns, rows, note)]
    if report.layers:
        shown = [_layer(one) for one in report.layers[:_LAYERS_SHOWN]]
        rest = len(report.layers) - len(shown)
        columns = ["layer", "op", "stays in", "because"]
        parts.append(spaced(table("What is not in 8 bits", columns, shown, f"{rest} more" if rest > 0 else "")))
    return Group(*parts)


def _row(one: Candidate) -> list[str]:
    verdict = "chosen" if one.chosen else one.note or ("" if one.ok else "loses too much")
    return [
        one.name,
        str(len(one.in_float)) if one.in_float else "",
        "" if one.drop is None else f"{one.drop:.4f}",
        "" if one.milliseconds is None else f"{one.milliseconds:.3g} ms",
        "" if one.speed is None else times_as_fast(one.speed.value),
        in_bytes(one.file_bytes) if one.file_bytes else "",
        verdict,
    ]


def _layer(one: LayerChoice) -> list[str]:
    return [tail(one.name), one.op, one.precision, one.why]
