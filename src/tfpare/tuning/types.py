"""What a search for the precision takes and gives: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfpare.errors import UsageError
from tfpare.measure.types import Interval

MAX_DROP = 0.01
"""What may be lost where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the user allows to be lost, and how it is measured.

    Attributes:
        max_drop: largest loss of each metric, in its unit (0.005 is half a point of an accuracy). Without metrics:
            largest share of samples whose top class changes; of an output without classes, 1 − the mean cosine.
        metrics: as for `tfpare.evaluate`; they need labels.
        eval_data: held-out samples; empty for those of the calibration data that calibration leaves.
        output: that metrics look at.
        batch: samples in a call.
    """

    max_drop: float = MAX_DROP
    metrics: tuple[str, ...] = ()
    eval_data: str = ""
    output: str = ""
    batch: int = 32

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise UsageError(f"--max-drop is a loss of at least 0, not {self.max_drop}.")


@dataclass(slots=True)
class Candidate:
    """A model that was considered.

    Attributes:
        name: its precisions in words.
        in_float: layers that were given back, by name.
        drop: loss on the held-out samples, None where it was not measured; quality: the same in words.
        ok: whether that is allowed.
        speed: time of a call over that of the original (or of the float model, where that does not run here).
        milliseconds: shortest time of a call.
        chosen: whether it is the result; note: why it is not, where there is a reason of its own.
    """

    name: str
    precision: str
    in_float: tuple[str, ...] = ()
    drop: float | None = None
    quality: str = ""
    ok: bool = True
    speed: Interval | None = None
    milliseconds: float | None = None
    file_bytes: int = 0
    chosen: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """A layer that could be in 8 bits and is not, and why."""

    name: str
    op: str
    precision: str
    why: str


@dataclass(slots=True)
class SearchReport:
    """How the precision was found.

    Attributes:
        candidates: in the order in which they were made.
        layers: of the chosen model.
        data: what the loss was measured on, in words.
        notes: what the user should know.
    """

    max_drop: float
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    layers: list[LayerChoice] = field(default_factory=list[LayerChoice])
    data: str = ""
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def chosen(self) -> Candidate | None:
        """The result."""
        return next((c for c in self.candidates if c.chosen), None)
