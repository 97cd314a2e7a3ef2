"""Evaluation on this machine: batch after batch, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tfpare.data.types import SkipLog
from tfpare.evaluation.task import BatchTally, Task, tallies

Count = Callable[[int, "int | None"], None]
"""Told how many samples are done, and how many there are (None where nobody knows)."""


def run_locally(task: Task, size: int | None, skipped: SkipLog, count: Count) -> BatchTally:
    """Evaluates everything; see `tallies` for what it raises."""
    total = BatchTally(0)
    with ExitStack() as stack:
        runners = [stack.enter_context(target.runner(task.timeout_s)) for target in task.targets]
        for one in tallies(task, runners, (0, 1), skipped):
            total.add(one)
            count(total.samples + len(skipped.messages), size)
    return total
