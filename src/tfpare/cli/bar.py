"""A progress bar for work that is timed: it is only drawn when told to, so that no thread runs beside the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress_bar() -> Generator[Callable[[str, float], None], None, None]:
    """Gives a function of the step and the share of the work that is done; on no terminal it shows nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    with os.fdopen(os.dup(2), "w") as stream:
        console = Console(file=stream)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
        with bar:
            task = bar.add_task("starting", total=1.0)

            def show(step: str, share: float) -> None:
                bar.update(task, description=step, completed=share, refresh=True)

            yield show
