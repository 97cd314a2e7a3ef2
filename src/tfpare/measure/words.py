"""Ratios and models in words: what tables and pages say in the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tfpare.measure.types import Interval, Ratio, Verdict, Workload

_USELESS = 100.0  # from ten times faster to ten times slower


def labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart; equal paths are numbered."""
    found = [_shortest(path, paths) for path in paths]
    return [f"{name} ({found[: k + 1].count(name)})" if found.count(name) > 1 else name for k, name in enumerate(found)]


def _shortest(path: Path, paths: Sequence[Path]) -> str:
    parts = path.parts
    for length in range(1, len(parts)):
        if sum(p.parts[-length:] == parts[-length:] for p in paths if p != path) == 0:
            return str(Path(*parts[-length:]))
    return str(path)


def times_as_fast(ratio: float) -> str:
    """`2.10× faster` or `1.10× slower`, from time as a multiple of the first model's time."""
    if not math.isfinite(ratio) or ratio <= 0:
        return "unknown"
    return f"{_factor(1 / ratio)}× faster" if ratio < 1 else f"{_factor(ratio)}× slower"


def _factor(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def in_words(ratio: Ratio) -> str:
    """The verdict with its interval."""
    if ratio.verdict is Verdict.NONE:
        return f"{ratio.verdict.value} ({_between(ratio.interval)})"
    ends = sorted((ratio.interval.low, ratio.interval.high), key=lambda end: abs(math.log(end)))
    low, high = (_factor(max(end, 1 / end)) for end in ends)
    return f"{times_as_fast(ratio.interval.value)} ({low} to {high})"


def _between(interval: Interval) -> str:
    if not math.isfinite(interval.high):
        return "one process each tells nothing about the spread between processes: --repeats 7"
    if interval.high / interval.low > _USELESS:
        return "the processes scatter too much to tell: more --repeats, or a quieter machine"
    return f"between {times_as_fast(interval.low)} and {times_as_fast(interval.high)}"


def workload_words(workload: Workload) -> str:
    """`batch 8, 2 callers, without feeding`."""
    parts = [f"batch {workload.batch}"]
    if workload.rate > 0:
        parts.append(f"{workload.rate:g} arrivals/s")
    if workload.streams > 1:
        parts.append(f"{workload.streams} callers")
    if not workload.feeding:
        parts.append("without feeding")
    return ", ".join(parts)
