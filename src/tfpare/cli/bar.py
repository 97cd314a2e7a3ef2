"""Progress bars on stderr, for work that is timed and work that is counted; on no terminal they show nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task

Step = Callable[[str], None]
Count = Callable[[int, "int | None"], None]


@contextmanager
def progress_bar() -> Generator[Callable[[str, float], None], None, None]:
    """Gives a function of the step and the share of the work that is done.

    It is only drawn when that is called, so that no thread runs beside the model.
    """
    from rich.progress import TaskProgressColumn

    with _bar(TaskProgressColumn(), auto_refresh=False) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(step: str, share: float) -> None:
            bar.update(task, description=step, completed=share, refresh=True)

        yield show


@contextmanager
def counter(unit: str, shown: bool = True) -> Generator[tuple[Step, Count], None, None]:
    """Gives a function of the step, and one of how many are done and of how many; also shows how many a second.

    Args:
        unit: what is counted.
        shown: False where TensorFlow's log is to be read.
    """
    from rich.progress import MofNCompleteColumn, ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {unit}/s" if speed else unit, style="progress.data.speed")

    with _bar(MofNCompleteColumn(), Rate(), shown=shown) as bar:
        task = bar.add_task("reading", total=None)
        yield (
            lambda step: bar.update(task, description=step),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


@contextmanager
def _bar(*columns: ProgressColumn, shown: bool = True, auto_refresh: bool = True) -> Generator[Progress, None, None]:
    """A bar with these columns before the remaining time; it is gone when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with os.fdopen(os.dup(2), "w") as stream:
        console = Console(file=stream)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            TimeRemainingColumn(),
            console=console,
            auto_refresh=auto_refresh,
            transient=True,
            disable=not (shown and console.is_terminal),
        ) as bar:
            yield bar
