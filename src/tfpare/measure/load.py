"""Ways to call: one after another, several callers at once, or arrivals that do not wait for the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Call = Callable[[], object]

# Sleeping ends up to a tenth of a millisecond late; the rest is waited for awake, which takes little of a processor.
_AWAKE_S = 2e-4


@dataclass(frozen=True, slots=True)
class Block:
    """Calls of one turn: their times, and the wall time from the first start to the last end, seconds."""

    samples_s: list[float]
    seconds: float


def closed_loop(calls: Sequence[Call], streams: int, seconds: float, most: int, settle: int = 0) -> Block:
    """Each caller calls again as soon as its last call has returned.

    Args:
        calls: made in turn; they differ in their inputs.
        streams: callers at the same time.
        seconds: no call begins after that; each caller makes at least one.
        most: calls of each caller at most.
        settle: calls before the clock starts, that bring caches and threads back after another model's turn.
    """
    for k in range(settle):
        calls[k % len(calls)]()
    if streams == 1:
        samples, wall = _one_caller(calls, 0, seconds, most)
        return Block(samples, wall)
    return _together(streams, lambda start: _one_caller(calls, start, seconds, most)[0])


def _one_caller(calls: Sequence[Call], first: int, seconds: float, most: int) -> tuple[list[float], float]:
    clock, samples = time.perf_counter, list[float]()
    begin = end = clock()
    for k in range(most):
        call = calls[(first + k) % len(calls)]
        start = clock()
        call()
        end = clock()
        samples.append(end - start)
        if end - begin >= seconds:
            break
    return samples, end - begin


def _together(streams: int, work: Callable[[int], list[float]]) -> Block:
    """Runs `work` in several threads that start at the same moment.

    Raises:
        Exception: the first that a call raised.
    """
    barrier, results, errors = threading.Barrier(streams + 1), list[list[float]](), list[Exception]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            results.append(work(number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(streams)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Block([s for r in results for s in r], time.perf_counter() - begin)


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Arrival times of a Poisson process, seconds from the start: independent, exponential gaps. At least one."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1.0 / rate, max(1, round(rate * seconds)))
    return np.cumsum(gaps).tolist()


def open_loop(calls: Sequence[Call], streams: int, due: Sequence[float]) -> Block:
    """Calls that arrive at given times, whether the model is ready or not; the first free caller takes the next one.

    A call's time runs from its scheduled arrival, so that waiting in the queue counts, and a slow call also shows in
    those that it held up (no coordinated omission).

    Args:
        calls: made in turn.
        streams: callers that serve the queue.
        due: arrival times, seconds from the start, ascending.
    """
    lock, origin = threading.Lock(), time.perf_counter() + 0.01  # for all callers to be there
    upcoming = iter(enumerate(due))

    def serve(number: int) -> list[float]:
        del number
        samples: list[float] = []
        while True:
            with lock:
                index, moment = next(upcoming, (-1, 0.0))
            if index < 0:
                return samples
            _wait_until(origin + moment)
            calls[index % len(calls)]()
            samples.append(time.perf_counter() - origin - moment)

    return _together(streams, serve)


def _wait_until(moment: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        if left > _AWAKE_S:
            time.sleep(left - _AWAKE_S)
