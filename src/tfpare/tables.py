"""Small pieces of terminal reports: tables that read well at 100 columns, and numbers with their units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> Table:
    """A table without frame; a column whose heading starts with `>` is aligned right. Cells are plain text."""
    made = Table(
        title=f"[bold]{escape(title)}[/bold]" if title else None,
        caption=escape(note) or None,
        title_justify="left",
        caption_justify="left",
        title_style="",
        caption_style="dim",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column in columns:
        made.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return made


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """Name and value pairs, one a line."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(escape(name), escape(value))
    return made


def spaced(part: RenderableType) -> Padding:
    """With a blank line above."""
    return Padding(part, (1, 0, 0, 0))


def in_bytes(count: int) -> str:
    """`941 B`, `13.6 MB` (decimal units, as `ls` and file managers count)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def tail(name: str, width: int = 40) -> str:
    """The end of a long node name, which tells more than its beginning."""
    return name if len(name) <= width else "…" + name[1 - width :]


def number(count: int) -> str:
    """`51,656`."""
    return f"{count:,}"


def in_seconds(seconds: float) -> str:
    """`4 ms`, `0.31 s`, `12.4 s`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def in_ms(seconds: float) -> str:
    """`0.418 ms`, `17.0 ms`."""
    ms = seconds * 1000
    return f"{ms:.3f} ms" if ms < 1 else f"{ms:.2f} ms" if ms < 10 else f"{ms:.1f} ms"


def share(before: float, after: float) -> str:
    """The change from before to after in percent: `-52 %`."""
    if not before or before == after:
        return ""
    return f"{(after - before) / before * 100:+.0f} %"
