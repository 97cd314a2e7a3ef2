"""Options and reports of the main job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfpare import __version__
from tfpare.ir.types import Array
from tfpare.layers import LayerReport
from tfpare.measure.types import BenchmarkReport
from tfpare.passes.base import FREEZE_LIMIT_BYTES
from tfpare.pipeline import StepReport
from tfpare.quant.options import QuantOptions
from tfpare.recording import ModelRecord
from tfpare.tuning.types import Goal, SearchReport
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
        precision: `auto` (the fastest within the goal), `keep`, `bf16` (computed in bfloat16), `fp16` (weights stored
            as float16), `fp32` (back again) or `int8` (computed in 8 bits; with no data only stored so).
        int8: how a model is quantized, and what with.
        goal: what may be lost, and how that is measured; layers stay in float, and in the end the model, until it fits.
        force: convert to a precision that this CPU is slow at.
        remove_asserts: also remove Assert and Print.
        freeze_limit_bytes: constants get no larger than this together; the largest variables stay variables.
        overwrite: replace an existing output.
        verify: prove the result before it is published.
        verification: how.
        record: keep what became of the nodes, for a page.
        compare_layers: also compare what single nodes compute before and after; needs `verify`.
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
    precision: str = "keep"
    int8: QuantOptions = field(default_factory=QuantOptions)
    goal: Goal | None = None
    force: bool = False
    remove_asserts: bool = False
    freeze_limit_bytes: int = FREEZE_LIMIT_BYTES
    overwrite: bool = False
    verify: bool = True
    verification: VerifyOptions = field(default_factory=VerifyOptions)
    record: bool = False
    compare_layers: bool = False


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
        records: what became of the nodes, one entry a MetaGraph; with `record`.
        layers: differences of single nodes, by signature; with `compare_layers`.
        search: how the precision was found, where it was looked for.
        benchmark: of the two models, where somebody measured them.
        command: that made it, where it came from the command line.
        version: of tfpare.
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
    records: list[ModelRecord] = field(default_factory=list[ModelRecord])
    layers: list[LayerReport] = field(default_factory=list[LayerReport])
    search: SearchReport | None = None
    benchmark: BenchmarkReport | None = None
    command: str = ""
    version: str = __version__
