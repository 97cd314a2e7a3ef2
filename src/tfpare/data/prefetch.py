"""Reading ahead: the next batches are decoded while the model runs on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 2  # one that waits and one in the making: more would only take memory
_POLL_S = 0.1


class _End:
    """The iterator is at its end, or raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, made by another thread; what it raises is raised here."""
    ready: queue.Queue[T | _End] = queue.Queue(_AHEAD)
    stop = threading.Event()
    maker = threading.Thread(target=_make, args=(items, ready, stop), name="tfpare-prefetch", daemon=True)
    maker.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        maker.join()


def _make(items: Iterator[T], ready: queue.Queue[T | _End], stop: threading.Event) -> None:
    end = _End(None)
    try:
        for item in items:
            if not _put(ready, item, stop):
                return
    except BaseException as error:
        end = _End(error)
    finally:
        close = getattr(items, "close", None)
        if callable(close):
            close()
    _put(ready, end, stop)


def _put(ready: queue.Queue[T | _End], item: T | _End, stop: threading.Event) -> bool:
    """Waits for a free place; False where nobody wants the item any more."""
    while not stop.is_set():
        with suppress(queue.Full):
            ready.put(item, timeout=_POLL_S)
            return True
    return False
