"""What a pass is, and the options and counters that passes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tfpare.engine.rule import Effect
from tfpare.errors import UsageError
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.quant.options import QuantOptions

FREEZE_LIMIT_BYTES = 1_900_000_000  # a serialized GraphDef cannot exceed 2 GiB; the rest is for the nodes
MAX_FOLDED_BYTES = 10 * 1024 * 1024  # the executor's own limit when it folds constants at load

LAYOUTS = ("keep", "auto", "NHWC", "NCHW")
PRECISIONS = ("keep", "fp32", "bf16", "fp16", "int8")


def _silent(step: str) -> None:
    del step


@dataclass(slots=True)
class PassOptions:
    """What the user decides.

    Attributes:
        freeze_limit_bytes: constants get no larger than this together; the largest variables stay variables.
        remove_asserts: also remove Assert and Print.
        bind: placeholder name → value that it gets for good.
        layout: `keep`, `NHWC`, `NCHW` or `auto`; see the pass `convert_layout`.
        precision: `keep`, `fp32`, `bf16`, `fp16` or `int8`; see the passes of `tfpare.pipeline.PRECISION_PASSES`.
        max_folded_bytes: no constant that folding makes is larger.
        progress: told how far a pass is that takes long.
    """

    freeze_limit_bytes: int = FREEZE_LIMIT_BYTES
    remove_asserts: bool = False
    bind: Mapping[str, Array] = field(default_factory=dict[str, Array])
    layout: str = "keep"
    precision: str = "keep"
    int8: QuantOptions = field(default_factory=QuantOptions)
    max_folded_bytes: int = MAX_FOLDED_BYTES
    progress: Callable[[str], None] = _silent

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UsageError(f"There is no layout {self.layout!r}: it is one of {', '.join(LAYOUTS)}.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"There is no precision {self.precision!r}: it is one of {', '.join(PRECISIONS)}.")


@dataclass(slots=True)
class PassResult:
    """What a pass did: changes, what it left alone by reason, with an example of each."""

    applied: int = 0
    declined: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])

    def decline(self, reason: str, where: str) -> None:
        """Counts one reason."""
        self.declined[reason] += 1
        self.examples.setdefault(reason, where)


@dataclass(frozen=True, slots=True)
class Pass:
    """A named pass.

    Attributes:
        after: passes that must come earlier in a pipeline that holds them.
    """

    name: str
    run: Callable[[Model, PassOptions], PassResult]
    effect: Effect = Effect.EXACT
    after: tuple[str, ...] = ()

    @property
    def doc(self) -> str:
        """The docstring of the function."""
        return self.run.__doc__ or ""


PASSES: dict[str, Pass] = {}


def register(
    *, effect: Effect = Effect.EXACT, after: tuple[str, ...] = ()
) -> Callable[[Callable[[Model, PassOptions], PassResult]], Callable[[Model, PassOptions], PassResult]]:
    """Registers a pass under its function's name."""

    def decorate(function: Callable[[Model, PassOptions], PassResult]) -> Callable[[Model, PassOptions], PassResult]:
        name = getattr(function, "__name__")  # noqa: B009 - a Callable has no declared name
        PASSES[name] = Pass(name, function, effect, after)
        return function

    return decorate
