"""Who runs when: short turns of all models within one set of fresh processes, until time and runs are enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfpare.ir.types import Array
from tfpare.measure.process import MeasuredProcess
from tfpare.measure.types import BenchmarkOptions, Workload

# A turn is short, so that there are many pairs, and a disturbance of a second hits both models of them; and long
# against the moment in which the caches change hands.
_TURN_S, _SHORTEST_TURN_S = 0.05, 0.01
_FEWEST_TURNS = 8  # in one process: the median of fewer ratios is easily moved by one of them
# Where calls arrive by themselves: a queue needs time to form.
_RATE_TURN_S, _RATE_TURN_CALLS, _FEWEST_RATE_TURNS = 1.0, 20, 2
_MOST_CALLS = 5000
_SETTLE_BELOW_S = 0.02  # slower calls hardly notice cold caches
_NOT_FED_SHARE = 0.5  # of the time, for the calls without feeding


@dataclass(slots=True)
class Recorded:
    """Turns of one model under one workload, in one process.

    Attributes:
        turns: times of the calls of each, seconds.
        seconds: wall time of all.
        due_s, late_s: for `rate`, time until the last arrivals, and time beyond these and one call.
    """

    turns: list[Array] = field(default_factory=list[Array])
    seconds: float = 0.0
    due_s: float = 0.0
    late_s: float = 0.0

    @property
    def count(self) -> int:
        """Calls so far."""
        return sum(len(t) for t in self.turns)


def take_turns(
    processes: Sequence[MeasuredProcess],
    workload: Workload,
    call_s: float,
    options: BenchmarkOptions,
    repeat: int,
    tick: Callable[[float], None],
) -> list[Recorded]:
    """Lets the models take turns.

    Args:
        processes: one for each model; all are alive, and idle while another one runs.
        workload: how to call.
        call_s: the longest time of a warm call among the models.
        options: how long.
        repeat: number of this set of processes, for seeds and the order of turns.
        tick: told how much of the work is done, 0 to 1.
    """
    share = _NOT_FED_SHARE if not workload.feeding and workload.rate == 0 else 1.0
    enough_s = share * options.min_seconds / options.repeats
    enough_runs = math.ceil(options.min_runs / options.repeats)
    fewest = _FEWEST_RATE_TURNS if workload.rate > 0 else _FEWEST_TURNS
    recorded, turn = [Recorded() for _ in processes], 0
    while turn < fewest or any(r.seconds < enough_s or r.count < enough_runs for r in recorded):
        order = list(range(len(processes)))
        for k in order if (turn + repeat) % 2 == 0 else reversed(order):  # A B B A: what drifts hits both alike
            _turn(processes[k], workload, recorded[k], call_s, enough_s, 1000 * repeat + turn + options.seed)
        turn += 1
        least = min(recorded, key=lambda r: r.seconds)
        tick(min(1.0, least.seconds / max(enough_s, 1e-9), least.count / enough_runs, turn / fewest))
    return recorded


def _turn(
    process: MeasuredProcess, workload: Workload, into: Recorded, call_s: float, enough_s: float, seed: int
) -> None:
    if workload.rate > 0:
        length = max(_RATE_TURN_S, _RATE_TURN_CALLS / workload.rate)
        samples, seconds, due_s = process.open_loop(workload, length, seed)
        into.due_s += due_s
        into.late_s += max(0.0, seconds - due_s - float(samples.min()))
    else:
        length = max(min(enough_s / _FEWEST_TURNS, _TURN_S), _SHORTEST_TURN_S)
        samples, seconds = process.closed_loop(workload, length, _MOST_CALLS, int(call_s < _SETTLE_BELOW_S))
    into.turns.append(samples)
    into.seconds += seconds


def log_ratios(first: Recorded, other: Recorded, quantile: float) -> list[float]:
    """log(other / first) of each pair of turns; a turn counts by a quantile of its calls."""
    pairs = zip(first.turns, other.turns, strict=True)
    return [math.log(float(np.quantile(b, quantile)) / float(np.quantile(a, quantile))) for a, b in pairs]


def deciding_quantile(workload: Workload) -> float:
    """Which of a turn's calls stands for the turn.

    The lower quartile: other programs can only make calls slower, and on a busy machine half of all calls were
    disturbed, so that the lower quartile of a turn scattered half as much as its median. Where calls arrive by
    themselves, waiting is part of what is asked for, and the median stands for it.
    """
    return 0.5 if workload.rate > 0 else 0.25
