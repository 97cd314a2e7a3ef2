"""The terminal form of `tfpare passes` and `tfpare explain`."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tfpare.catalogue import Entry

_EFFECTS = {
    "exact": "answers stay equal bit for bit",
    "rounding": "the same function; floats are rounded in another order",
    "as told": "what happens is up to its arguments",
    "lossy": "another function within a budget",
}


def render_list(entries: list[Entry]) -> Group:
    """A table of passes, one of rules and one of transforms."""
    return Group(
        _list("Passes (whole-graph work)", [e for e in entries if e.kind == "pass"]),
        Text(),
        _list("Rules (rewrites)", [e for e in entries if e.kind == "rule"]),
        Text(),
        _list(
            "Transforms (tfpare transform: the Graph Transform Tool's names)",
            [e for e in entries if e.kind == "transform"],
        ),
        Text(),
        Text("`tfpare explain NAME` shows an example, when it declines, and its source.", style="dim"),
    )


def _list(title: str, entries: list[Entry]) -> Group:
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for one in entries:
        made.add_row(one.name, one.effect, escape(one.summary))
    return Group(Text(title, style="bold"), made)


def render_entry(entry: Entry) -> Group:
    """One pass, rule or transform, examples indented."""
    effect = _EFFECTS.get(entry.effect, "")
    parts: list[RenderableType] = [
        Text(entry.name, style="bold"),
        Text(f"{entry.kind}, {entry.effect}: {effect}; in {entry.module}", style="dim"),
        Padding(Text(entry.summary), (1, 0, 0, 0)),
    ]
    if entry.text:
        parts.append(Padding(Text(entry.text), (1, 0, 0, 0)))
    if entry.after:
        parts.append(Padding(Text(f"Runs after {', '.join(entry.after)}."), (1, 0, 0, 0)))
    for section in entry.sections:
        parts.append(Padding(Text(section.heading, style="bold"), (1, 0, 0, 0)))
        parts.append(Padding(Text(section.text), (0, 0, 0, 4)))
    return Group(*parts)
