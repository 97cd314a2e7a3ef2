"""What a proof takes and gives: plain data, so that reports and the command line need nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Budget:
    """What a result that is lossy on purpose may lose.

    Attributes:
        reason: the precision that costs it.
        max_rel: allowed max |difference| of a float output, relative to its largest magnitude.
        min_sqnr_db: least ratio of a float output's power to that of the difference, 10·log10(Σa² / Σ(a−b)²) over all
            inputs.
        min_agreement: least share of rows with the same top class, and of equal entries of integers, bools and strings.
        min_rows: fewer rows than this do not show a share; they are reported only.
    """

    reason: str
    max_rel: float
    min_sqnr_db: float
    min_agreement: float
    min_rows: int = 50


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to feed and what to allow.

    Attributes:
        tags: MetaGraph to verify, None for the one that the reader chooses.
        signatures: names of signatures, all by default.
        input_names, output_names: tensors of bare graphs.
        data: `.npz` file with arrays by input key (or `signature/key`), first dimension the batch.
        inputs, input_exprs: as in saved_model_cli: `key=file.npy;…`, `key=<literal or ones((1,2))>;…`.
        batches: batch sizes to draw where the batch is free.
        tolerance: allowed max |difference| relative to the output's largest magnitude; None for 1e-5 (float32), and by
            precision for other float types. 0 demands equal bits.
        budget: what a lossy result may lose; `tolerance` overrides its largest difference and SQNR.
        seed: of the drawn inputs.
        plain_runtime: run both without TensorFlow's own rewrites and oneDNN, whose rounding depends on the graph around
            an op; without them, a rewrite that is exact op by op gives equal bits.
    """

    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    data: Path | None = None
    inputs: str = ""
    input_exprs: str = ""
    batches: tuple[int, ...] = (1, 3)
    tolerance: float | None = None
    budget: Budget | None = None
    seed: int = 0
    plain_runtime: bool = False


@dataclass(slots=True)
class OutputDifference:
    """How far one output of one signature is apart over all feeds.

    Attributes:
        max_abs: largest |a − b|; max_rel: that over the output's largest magnitude; max_ulp: largest distance in units
            in the last place (floats only).
        sqnr_db: the output's power over that of the difference, in decibels; None where there is none or no power.
        top1_agreement: share of rows whose largest entry is at the same place, where it looks like class scores.
        settled: False where no input can settle it (random ops, only NaN), with the reason in `note`.
    """

    signature: str
    output: str
    dtype: str
    ok: bool
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    sqnr_db: float | None = None
    top1_agreement: float | None = None
    tolerance: float = 0.0
    settled: bool = True
    note: str = ""


@dataclass(slots=True)
class VerifyReport:
    """The outcome: `ok` when every output is within its tolerance."""

    ok: bool
    outputs: list[OutputDifference] = field(default_factory=list[OutputDifference])
    feeds: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    first_difference: str = ""

    @property
    def differs(self) -> bool:
        """Whether some answer is known to be wrong; a report that is not ok without that has nothing to compare."""
        return any(not o.ok and o.settled for o in self.outputs)

    @property
    def max_rel(self) -> float:
        """Largest relative difference of all outputs."""
        return max((o.max_rel for o in self.outputs), default=0.0)
