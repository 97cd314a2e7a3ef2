"""What a comparison of two models takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tfpare.data.types import DataOptions
from tfpare.evaluation.types import EvaluationReport
from tfpare.measure.types import BenchmarkOptions, BenchmarkReport
from tfpare.proof import VerifyReport


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to compare, and how.

    Attributes:
        benchmark: of the times; its data, inputs and names are used everywhere.
        data: how `benchmark.data` is read.
        metrics: on labelled data; see `tfpare.evaluate`. Without any, data shows how far the models agree.
        output: output key that metrics look at.
        tolerance: allowed difference of the answers; see `tfpare.verify`.
        batch_size: of the evaluation.
    """

    benchmark: BenchmarkOptions = field(default_factory=BenchmarkOptions)
    data: DataOptions = field(default_factory=DataOptions)
    metrics: tuple[str, ...] = ()
    output: str = ""
    tolerance: float | None = None
    batch_size: int = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    before: str
    after: str
    comment: str


@dataclass(slots=True)
class CompareReport:
    """The table, and what it was made from.

    Attributes:
        ok: no loss was seen in any metric; without metrics: the answers are the same within the tolerance.
        nodes: before and after, None where a model could not be read to count them.
        verification: None where it was not possible; `notes` says why.
    """

    before: Path
    after: Path
    ok: bool
    rows: list[Row]
    benchmark: BenchmarkReport
    nodes: tuple[int | None, int | None]
    verification: VerifyReport | None
    evaluation: EvaluationReport | None
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
