"""Traced calls summed up by op type and by node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tfpare.measure.types import OpTime, Profile


def profile_of(nodes: Sequence[Sequence[str | float | int]], calls: int) -> Profile:
    """The profile of an average call.

    Args:
        nodes: name, op, milliseconds and executions of each node in all calls.
        calls: how many were traced.
    """
    rows = [(str(name), str(op), float(ms) / calls, float(count) / calls) for name, op, ms, count in nodes]
    total = sum(ms for _, _, ms, _ in rows)
    by_op: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for _, op, ms, count in rows:
        by_op[op][0] += ms
        by_op[op][1] += count
    return Profile(
        calls=calls,
        traced_ms=total,
        by_op=_longest(OpTime(op, "", ms, count, _share(ms, total)) for op, (ms, count) in by_op.items()),
        by_node=_longest(OpTime(op, name, ms, count, _share(ms, total)) for name, op, ms, count in rows),
    )


def _longest(times: Iterable[OpTime]) -> tuple[OpTime, ...]:
    return tuple(sorted(times, key=lambda t: -t.ms))


def _share(ms: float, total: float) -> float:
    return ms / total if total > 0 else 0.0
