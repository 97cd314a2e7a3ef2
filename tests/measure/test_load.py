"""Load generators, with calls that only sleep."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tfpare.measure.load import arrivals, closed_loop, open_loop


def sleeper(seconds):
    return lambda: time.sleep(seconds)


def test_closed_loop_stops_by_time():
    block = closed_loop([sleeper(0.01)], 1, 0.1, 10**6)
    assert 3 <= len(block.samples_s) <= 10
    assert block.seconds >= 0.1
    assert min(block.samples_s) >= 0.01


def test_closed_loop_stops_by_count_and_makes_one_call_at_least():
    assert len(closed_loop([sleeper(0)], 1, 100.0, 7).samples_s) == 7
    assert len(closed_loop([sleeper(0.02)], 1, 0.0, 7).samples_s) == 1


def test_inputs_take_turns():
    made: list[int] = []
    calls = [lambda k=k: made.append(k) for k in range(3)]
    closed_loop(calls, 1, 100.0, 5)
    assert made == [0, 1, 2, 0, 1]


def test_settling_calls_are_not_counted():
    made: list[int] = []
    block = closed_loop([lambda: made.append(1)], 1, 100.0, 3, settle=2)
    assert (len(made), len(block.samples_s)) == (5, 3)


def test_callers_run_at_the_same_time():
    block = closed_loop([sleeper(0.05)], 4, 100.0, 3)
    assert len(block.samples_s) == 12
    assert block.seconds < 0.05 * 12 * 0.75  # one after another would take 0.6 s


def test_an_error_in_a_caller_is_raised():
    def fails():
        raise RuntimeError("no kernel")

    with pytest.raises(RuntimeError, match="no kernel"):
        closed_loop([fails], 2, 1.0, 3)


def test_arrivals_are_poisson():
    times = np.asarray(arrivals(100.0, 100.0, 0))
    gaps = np.diff(times)
    assert len(times) == 10_000
    assert gaps.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps.std() == pytest.approx(0.01, rel=0.05)  # the standard deviation of exponential gaps is their mean
    assert arrivals(100.0, 1.0, 0) == arrivals(100.0, 1.0, 0)
    assert arrivals(100.0, 1.0, 0) != arrivals(100.0, 1.0, 1)
    assert len(arrivals(0.001, 1.0, 0)) == 1


def test_waiting_in_the_queue_counts():
    """Ten calls of 20 ms that are all due at once: the last one takes 200 ms from its arrival."""
    block = open_loop([sleeper(0.02)], 1, [0.0] * 10)
    assert max(block.samples_s) >= 0.2
    assert sorted(block.samples_s) == block.samples_s


def test_one_slow_call_shows_in_those_that_it_held_up():
    """No coordinated omission: a closed loop would show one slow call, here five are slow."""
    waits = iter([0.2, *[0.0] * 9])
    block = open_loop([lambda: time.sleep(next(waits))], 1, [0.04 * k for k in range(10)])
    assert sum(s > 0.02 for s in block.samples_s) >= 4


def test_calls_wait_until_they_are_due():
    began: list[float] = []
    due = [0.0, 0.05, 0.1]
    start = time.perf_counter()
    open_loop([lambda: began.append(time.perf_counter())], 1, due)
    assert all(moment - start >= d for moment, d in zip(began, due, strict=True))


def test_several_callers_serve_one_queue():
    used: set[int] = set()

    def call():
        used.add(threading.get_ident())
        time.sleep(0.02)

    block = open_loop([call], 4, [0.0] * 12)
    assert len(block.samples_s) == 12
    assert len(used) > 1
