"""Float constants → constants of few distinct values, which compress well."""

from __future__ import annotations

from tfpare.compat.eightbit.numerics import round_to_buckets
from tfpare.compat.eightbit.weights import float_constants
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UsageError
from tfpare.io import attrs as attr_io

_MIN_ELEMENTS = 16  # below this nothing is gained by compression


@transform(effect=Effect.LOSSY)
def round_weights(work: Work, *, num_steps: int = 256) -> None:
    """Rounds each float32 constant of 16 or more elements to the middles of `num_steps` equal buckets.

    Everything keeps its type and size; a compressed archive of the file gets smaller. Constants in function bodies are
    rounded too.

    Differs: a tensor of equal values stays exact (the original turns ones into 1.00195); the largest value falls into
    the last bucket and not into one more behind it; buckets lie between the smallest and the largest value, also where
    all are negative; constants keep their control inputs, so that while loops still run; NaN and infinities stay.
    Source: the Graph Transform Tool's round_weights.
    """
    if num_steps < 1:
        raise UsageError(f"num_steps={num_steps}: there has to be at least one step.")
    for constant in float_constants(work, _MIN_ELEMENTS):
        rounded = round_to_buckets(constant.array, num_steps)
        if rounded is not constant.array:
            value = constant.node_def.attr["value"]
            value.Clear()
            attr_io.encode(rounded, value)
