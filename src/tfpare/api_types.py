"""Options and reports of the main job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfpare.ir.types import Array
from tfpare.passes.base import FREEZE_LIMIT_BYTES
from tfpare.pipeline import StepReport
from tfpare.verifier import VerifyOptions, VerifyReport

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OptimizeOptions:
    """What the user decides.

    Attributes:
        preset: `exact` (bit for bit) or `fast` (floats may be reassociated).
        tags, signatures, input_names, output_names: what to read; see `tfpare.io.read.ReadOptions`.
        disable, only: names of rules and passes.
        bind: placeholder name → value that it gets for good.
        layout: `keep`, `NHWC`, `NCHW` or `auto` (NHWC on machines without a GPU).
        remove_asserts: also remove Assert and Print.
        freeze_limit_bytes: constants get no larger than this together; the largest variables stay variables.
        overwrite: replace an existing output.
        verify: prove the result before it is published.
        verification: how.
    """

    preset: str = "fast"
    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    bind: Mapping[str, Array] = field(default_factory=dict[str, Array])
    layout: str = "keep"
    remove_asserts: bool = False
    freeze_limit_bytes: int = FREEZE_LIMIT_BYTES
    overwrite: bool = False
    verify: bool = True
    verification: VerifyOptions = field(default_factory=VerifyOptions)


@dataclass(slots=True)
class ModelStats:
    """Size of a model: nodes and ops over all graphs and functions, bytes of constants and variables, bytes on disk."""

    nodes: int = 0
    functions: int = 0
    ops: dict[str, int] = field(default_factory=dict[str, int])
    weight_bytes: int = 0
    file_bytes: int = 0


@dataclass(slots=True)
class OptimizeReport:
    """What `optimize` did.

    Attributes:
        seconds: by phase: import, read, rewrite, write, verify, total.
    """

    input: Path
    output: Path
    form: str
    preset: str
    before: ModelStats
    after: ModelStats
    steps: list[StepReport]
    verification: VerifyReport | None
    notes: list[str]
    seconds: dict[str, float]
