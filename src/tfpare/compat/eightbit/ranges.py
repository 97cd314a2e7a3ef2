"""Checked pairs of arguments that name a range."""

from __future__ import annotations

from tfpare.errors import UsageError


def range_argument(name: str, low: float | None, high: float | None, *, needs_zero: bool) -> tuple[float, float] | None:
    """The range of the arguments `<name>_min` and `<name>_max`; None where neither is given.

    Raises:
        UsageError: one of them is missing, or they are no range (that contains 0, where the kernels want one).
    """
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise UsageError(f"{name}_min and {name}_max go together: give both or none.")
    if not (low < high and high - low < float("inf")):
        raise UsageError(f"{name}_min={low:g} and {name}_max={high:g} are no range.")
    if needs_zero and not low <= 0 <= high:
        raise UsageError(f"{name}_min={low:g} and {name}_max={high:g}: the range has to contain 0.")
    return low, high
