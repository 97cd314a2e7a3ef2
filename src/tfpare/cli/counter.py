"""A progress bar for work that is counted: how many, of how many, how many a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Task

Step = Callable[[str], None]
Count = Callable[[int, "int | None"], None]


@contextmanager
def counter(unit: str, shown: bool = True) -> Generator[tuple[Step, Count], None, None]:
    """Gives a function of the step, and one of how many are done and of how many; on no terminal they show nothing.

    Args:
        unit: what is counted.
        shown: False where TensorFlow's log is to be read.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {unit}/s" if speed else unit, style="progress.data.speed")

    with os.fdopen(os.dup(2), "w") as stream:
        console = Console(file=stream)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        bar = Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
        with bar:
            task = bar.add_task("reading", total=None)
            yield (
                lambda step: bar.update(task, description=step),
                lambda done, total: bar.update(task, completed=done, total=total),
            )
