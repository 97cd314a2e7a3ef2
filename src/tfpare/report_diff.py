"""The terminal report of `tfpare diff`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tfpare.diffing.types import (
    DiffReport,
    FieldChange,
    FunctionDiff,
    FunctionsDiff,
    GraphDiff,
    MetaGraphDiff,
    SectionDiff,
    ValueChange,
)
from tfpare.inspect import FORMS
from tfpare.tables import facts, number, spaced, table

_VERDICTS = {
    "equal": "equal",
    "renamed": "equal but for the names of nodes or functions",
    "different": "different",
}
_MAX_ROWS = 12
_MAX_FIELDS = 6
_MAX_BODIES = 3
_NOT_COUNTED = "the order of nodes and control edges, encodings of constants, attributes that equal their op's default"


@dataclass(frozen=True, slots=True)
class _Change:
    """A thing that both have."""

    name: str
    fields: list[FieldChange]
    value: ValueChange | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    """How much is shown: of each list this many things, None for all."""

    max_rows: int | None

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], count: int) -> Group:
        """The first of `count` rows."""
        shown = list(islice(rows, self.max_rows))
        return Group(_title(title, count), table("", columns, shown), *_rest(count - len(shown)))

    def changes(self, title: str, changes: Iterable[_Change], count: int) -> Group:
        """The first of `count` changed things: the name of each, then what it was and is."""
        shown = list(islice(changes, self.max_rows))
        parts: list[RenderableType] = [_title(title, count)]
        for change in shown:
            parts.append(Text(change.name, overflow="fold"))
            parts.append(Padding(facts(self._rows(change)), (0, 0, 0, 4)))
        return Group(*parts, *_rest(count - len(shown)))

    def _rows(self, change: _Change) -> list[tuple[str, str]]:
        rows = [] if change.value is None else [("value", _value(change.value))]
        rows += [(f.field, f"{_or_dash(f.a)} → {_or_dash(f.b)}") for f in change.fields]
        if self.max_rows is not None and len(rows) > _MAX_FIELDS:
            rows[_MAX_FIELDS:] = [("…", f"and {len(rows) - _MAX_FIELDS} more")]
        return rows


def _title(title: str, count: int) -> Text:
    return Text(f"{title} ({number(count)})", "bold", overflow="fold")


def _rest(count: int) -> list[Text]:
    return [Text(f"… and {number(count)} more (--all)")] if count else []


def render(report: DiffReport, show_all: bool = False) -> Group:
    """The whole report, the summary first."""
    layout = _Layout(None if show_all else _MAX_ROWS)
    parts: list[RenderableType] = [facts(_head(report))]
    for graph in report.graphs:
        parts.append(spaced(facts(_summary(graph))))
        parts.extend(spaced(t) for t in _meta_graph(graph, layout))
    return Group(*parts)


def _head(report: DiffReport) -> Iterator[tuple[str, str]]:
    yield "A", f"{report.a} ({FORMS[report.form_a]})"
    yield "B", f"{report.b} ({FORMS[report.form_b]})"
    yield "result", _VERDICTS[report.verdict]
    for name, only in (("only in A", report.only_in_a), ("only in B", report.only_in_b)):
        if only:
            yield name, "MetaGraph " + "; ".join(only)
    for note in report.notes:
        yield "note", note
    yield "not counted", _NOT_COUNTED


def _summary(graph: MetaGraphDiff) -> Iterator[tuple[str, str]]:
    if graph.tags_a or graph.tags_b:
        yield "tags", _arrow(",".join(graph.tags_a) or "(empty)", ",".join(graph.tags_b) or "(empty)")
    yield "nodes", _arrow(number(graph.nodes_a), number(graph.nodes_b))
    yield "graph", _counts(graph.graph)
    if not graph.functions.is_equal:
        yield "functions", _counts(graph.functions)
    for name, section in graph.sections.items():
        yield name, _section_counts(section)
    if graph.versions:
        yield "versions", ", ".join(f"{v.field} {_arrow(_or_dash(v.a), _or_dash(v.b))}" for v in graph.versions)
    internal = graph.graph.internal + graph.functions.internal
    if internal:
        yield "not counted", f"{number(internal)} nodes differ in internal attributes (--internal-attrs counts them)"


def _arrow(a: str, b: str) -> str:
    return a if a == b else f"{a} → {b}"


def _counts(found: GraphDiff | FunctionsDiff) -> str:
    changed = [c for c in found.changed if not c.is_renaming]
    readers = len(found.changed) - len(changed)
    counts = [
        *((len(found.only_in_a), "only in A"), (len(found.only_in_b), "only in B"), (len(found.renamed), "renamed")),
        *((len(changed), "changed"), (readers, "changed only in the names that they use")),
    ]
    return ", ".join(f"{number(n)} {what}" for n, what in counts if n) or "equal"


def _section_counts(found: SectionDiff) -> str:
    counts = ((found.only_in_a, "only in A"), (found.only_in_b, "only in B"), (found.changed, "changed"))
    return ", ".join(f"{number(len(n))} {what}" for n, what in counts if n)


def _meta_graph(graph: MetaGraphDiff, layout: _Layout) -> Iterator[RenderableType]:
    if graph.ops:
        rows = ([o.op, number(o.a), number(o.b), f"{o.b - o.a:+,}"] for o in graph.ops)
        yield layout.table("Ops", ["op", ">A", ">B", ">difference"], rows, len(graph.ops))
    yield from _graph("Nodes", graph.graph, layout)
    yield from _functions(graph.functions, layout)
    for name, section in graph.sections.items():
        yield from _section(name.capitalize(), section, layout)


def _graph(title: str, graph: GraphDiff, layout: _Layout) -> Iterator[RenderableType]:
    for side, only in (("A", graph.only_in_a), ("B", graph.only_in_b)):
        if only:
            yield layout.table(f"{title} only in {side}", ["op", "name"], ([n.op, n.name] for n in only), len(only))
    if graph.renamed:
        rows = ([r.op, r.a, r.b] for r in graph.renamed)
        yield layout.table(f"{title} renamed", ["op", "A", "B"], rows, len(graph.renamed))
    for is_renaming, what in ((False, "changed"), (True, "changed only in the names that they use")):
        some = [_Change(f"{c.name} ({c.op})", c.fields, c.value) for c in graph.changed if c.is_renaming == is_renaming]
        if some:
            yield layout.changes(f"{title} {what}", some, len(some))


def _functions(functions: FunctionsDiff, layout: _Layout) -> Iterator[RenderableType]:
    yield from _only("Functions", functions.only_in_a, functions.only_in_b, layout)
    if functions.renamed:
        rows = ([r.a, r.b] for r in functions.renamed)
        yield layout.table("Functions renamed", ["A", "B"], rows, len(functions.renamed))
    changed = functions.changed
    if changed:
        rows = ([_arrow(f.a, f.b), _function_counts(f)] for f in changed)
        yield layout.table("Functions changed", ["name", "what"], rows, len(changed))
    different = [f for f in changed if not f.is_renaming]
    bodies = None if layout.max_rows is None else _MAX_BODIES
    for one in different[:bodies]:
        if one.fields:
            yield layout.changes("Function changed", [_Change(_arrow(one.a, one.b), one.fields)], 1)
        yield from _graph(f"Function {one.b}: nodes", one.body, layout)
    if len(different) > len(different[:bodies]):
        yield Text(f"… and the bodies of {number(len(different[bodies:]))} more functions (--all)")


def _section(title: str, section: SectionDiff, layout: _Layout) -> Iterator[RenderableType]:
    yield from _only(title, section.only_in_a, section.only_in_b, layout)
    if section.changed:
        changes = (_Change(c.name, c.fields, c.value) for c in section.changed)
        yield layout.changes(f"{title} changed", changes, len(section.changed))


def _only(title: str, only_in_a: list[str], only_in_b: list[str], layout: _Layout) -> Iterator[RenderableType]:
    for side, only in (("A", only_in_a), ("B", only_in_b)):
        if only:
            yield layout.table(f"{title} only in {side}", ["name"], ([n] for n in only), len(only))


def _function_counts(function: FunctionDiff) -> str:
    arguments = ["arguments, results or attributes"] if function.fields else []
    body = [] if function.body.is_equal else [f"nodes: {_counts(function.body)}"]
    return "; ".join([*arguments, *body]) or "renamed"


def _value(value: ValueChange) -> str:
    if not value.compared:
        return _arrow(value.a, value.b)
    largest = "" if value.max_abs is None else f", max abs difference {value.max_abs:.3g}"
    return f"{_arrow(value.a, value.b)}: {number(value.unequal)} of {number(value.compared)} differ{largest}"


def _or_dash(text: str | None) -> str:
    return "–" if text is None else text
