"""What each precision may lose: the allowance that the proof gives it."""

from __future__ import annotations

from tfpare.proof import Budget

# The roundings of a few hundred ops add up like a random walk: about 20 times the rounding of one (2^-9, 2^-12)
# relative to the largest magnitude, and a softmax at the end amplifies that.
_BUDGETS = {
    "bf16": Budget("bf16", max_rel=1e-1, min_sqnr_db=20.0, min_agreement=0.98),
    "fp32": Budget("fp32", max_rel=1e-1, min_sqnr_db=20.0, min_agreement=0.98),
    "fp16": Budget("fp16", max_rel=1e-2, min_sqnr_db=40.0, min_agreement=0.98),
    # Eight bits keep some 33 dB of a layer; fifty layers add up to a fiftieth of that.
    "int8": Budget("int8", max_rel=5e-1, min_sqnr_db=10.0, min_agreement=0.9),
}


def budget_of(precision: str) -> Budget | None:
    """The allowance of a precision; None where the proof is the usual one."""
    return _BUDGETS.get(precision)
