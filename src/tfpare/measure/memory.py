"""Resident memory of this process, now and at its peak. No thread samples it: that would disturb what is timed."""

from __future__ import annotations

import re
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the current one


def resident_bytes() -> dict[str, int]:
    """`now` and `peak`, bytes; 0 where the system does not tell (only Linux does)."""
    try:
        text = _STATUS.read_text()
    except OSError:
        return {"now": 0, "peak": 0}
    return {"now": _field(text, "VmRSS"), "peak": _field(text, "VmHWM")}


def _field(text: str, name: str) -> int:
    match = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def reset_peak() -> None:
    """Starts a new peak; where that is not allowed, peaks only grow."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return
