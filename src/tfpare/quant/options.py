"""What the user decides about 8 bits, and which layers stay out of narrower types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tfpare.data.types import DataOptions
from tfpare.errors import UsageError, nearest
from tfpare.ir.types import Array

CALIBRATIONS = ("minmax", "moving-average", "percentile", "entropy", "mse")
PRECISIONS = ("int8", "bf16", "fp32")
RESTS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class QuantOptions:
    """How a model is quantized.

    Attributes:
        data: what to measure ranges with, see `tfpare.data.open.open_data`. Empty: weights are stored in 8 bits, and
            nothing is computed in them.
        data_options: how samples are read.
        signature: that the samples are for; by default `serving_default`.
        calibration: how a range follows from data: one of `CALIBRATIONS`.
        percentile: share of the magnitudes that the range keeps, for that calibration.
        precisions: glob of a node name → the narrowest type that it may be in: `int8`, `bf16` (no 8 bits) or `fp32`
            (neither 8 bits nor bfloat16); the first that fits a name counts.
        ends: precision of the first layer and of the last ones, whose answers are the model's.
        rest: precision of what is not in 8 bits.
        ranges: lowest and highest number by tensor (`node:0`) as `tfpare.quant.calibrate` measured them before; `data`
            is not read then.
        per_channel: give each output channel of a kernel a scale of its own; off to see what that is worth.
        reduce_range: kernels of Conv2D and MatMul use −64…64, with which sums are right on CPUs without VNNI too; None:
            where this machine needs it, see `tfpare.quant.saturation`.
        correct_bias: take what rounding a kernel adds to a layer's mean result away from its bias; off likewise.
        factors: by tensor (`node:0`), what its channels are divided by and its readers' kernels multiplied; see
            `tfpare.quant.equalize`.
        portable: write QuantizeAndDequantizeV4 and float ops, which run anywhere, and not oneDNN's kernels.
        batch: samples in a call while ranges are measured.
        samples: at most so many are used.
        work_dir: keeps what was measured, so that a calibration that was stopped goes on where it was.
    """

    data: str = ""
    data_options: DataOptions = field(default_factory=DataOptions)
    signature: str = ""
    calibration: str = "mse"
    percentile: float = 99.99
    precisions: Mapping[str, str] = field(default_factory=dict[str, str])
    ends: str = "fp32"
    rest: str = "fp32"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    factors: Mapping[str, Array] = field(default_factory=dict[str, Array])
    per_channel: bool = True
    reduce_range: bool | None = None
    correct_bias: bool = True
    portable: bool = False
    batch: int = 8
    samples: int = 1000
    work_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.calibration not in CALIBRATIONS:
            hint = nearest(self.calibration, CALIBRATIONS)
            raise UsageError(f"There is no calibration {self.calibration!r}.{hint}")
        if not 50 < self.percentile <= 100:
            raise UsageError(f"A percentile of {self.percentile} keeps too little: give one above 50, at most 100.")
        for precision in (self.ends, *self.precisions.values()):
            if precision not in PRECISIONS:
                raise UsageError(f"A layer cannot be {precision!r} here.{nearest(precision, PRECISIONS)}")
        if self.rest not in RESTS:
            raise UsageError(f"The rest cannot be {self.rest!r}.{nearest(self.rest, RESTS)}")
        if self.batch < 1 or self.samples < 1:
            raise UsageError("Calibration needs a batch and a number of samples of at least 1.")

    def precision_of(self, name: str) -> str:
        """What was asked for a node of this name; empty where nothing was."""
        return next((p for glob, p in self.precisions.items() if fnmatchcase(name, glob)), "")
