"""Runs a list of transforms on a graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfpare.compat.leftovers import remove_leftovers
from tfpare.compat.registry import IGNORE_ERRORS, Transform, find
from tfpare.compat.syntax import Call, parse
from tfpare.compat.work import Work
from tfpare.errors import InvariantError, TfpareError, UsageError
from tfpare.pipeline import collector_paused

Progress = Callable[[str], None]


@dataclass(slots=True)
class TransformStep:
    """What one transform did: nodes before and after (functions included), seconds, and why it was left out."""

    name: str
    call: str
    nodes_before: int
    nodes_after: int
    seconds: float
    error: str = ""


def apply(work: Work, transforms: str | Iterable[str], progress: Progress = lambda step: None) -> list[TransformStep]:
    """Runs transforms in order, in place. Every call is read and checked before the first one runs.

    Raises:
        UsageError: a string that cannot be read, an unknown transform or argument.
        TfpareError: a transform fails and its `ignore_errors` is not true; the message names it.
    """
    with collector_paused():
        return _apply(work, transforms, progress)


def _apply(work: Work, transforms: str | Iterable[str], progress: Progress) -> list[TransformStep]:
    steps: list[TransformStep] = []
    for call, one, arguments, ignores_errors in [_resolve(c) for c in parse(transforms)]:
        progress(one.name)
        begin, nodes = time.perf_counter(), work.count_nodes()
        error = _run(work, one, arguments, ignores_errors)
        seconds = time.perf_counter() - begin
        steps.append(TransformStep(one.name, str(call), nodes, work.count_nodes(), seconds, error))
    if steps:
        remove_leftovers(work)
    return steps


def check(transforms: str | Iterable[str]) -> None:
    """Reads the calls without running them.

    Raises:
        UsageError: a string that cannot be read, an unknown transform or argument.
    """
    for call in parse(transforms):
        _resolve(call)


def _run(work: Work, one: Transform, arguments: dict[str, object], ignores_errors: bool) -> str:
    before = work.snapshot() if ignores_errors else None
    try:
        one.function(work, **arguments)
        work.check()
    except TfpareError as error:
        if before is None:
            raise type(error)(f"Transform {one.name}: {error}") from error
        work.restore(before)
        work.notes.append(f"{one.name} was left out, as ignore_errors asks: {error}")
        return str(error)
    except Exception as error:
        raise InvariantError(f"Transform {one.name} failed ({type(error).__name__}: {error}).") from error
    return ""


def _resolve(call: Call) -> tuple[Call, Transform, dict[str, object], bool]:
    one = find(call.name)
    return call, one, one.arguments(call), _ignores_errors(call)


def _ignores_errors(call: Call) -> bool:
    texts = [text for key, text in call.arguments if key == IGNORE_ERRORS]
    if any(t.lower() not in ("true", "false") for t in texts):
        raise UsageError(f"{call.name}: {IGNORE_ERRORS} is true or false, not {texts[0]!r}.")
    return bool(texts) and texts[0].lower() == "true"
