"""Reading ahead changes nothing but the time."""

from __future__ import annotations

import threading
import time

import pytest

from tfpare.data.prefetch import prefetched


def test_same_items_in_order():
    assert list(prefetched(iter(range(100)))) == list(range(100))


def test_errors_come_behind_the_items():
    def broken():
        yield 1
        raise ValueError("no more")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_who_stops_early_leaves_no_thread_and_closes_the_source():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    items = prefetched(endless())
    next(items)
    items.close()
    assert closed == [True]
    assert threading.active_count() == before


def test_the_next_item_is_made_meanwhile():
    def slow():
        for k in range(6):
            time.sleep(0.05)
            yield k

    started = time.perf_counter()
    for _ in prefetched(slow()):
        time.sleep(0.05)
    assert time.perf_counter() - started < 0.55
