"""Which samples calibrate, and which ones judge: never the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from tfpare.api_types import OptimizeOptions
from tfpare.data.types import DataError
from tfpare.errors import UsageError
from tfpare.ir.model import Model
from tfpare.quant.options import QuantOptions
from tfpare.quant.samples import fitted, open_samples
from tfpare.tuning.quality import Held
from tfpare.tuning.types import Goal


def split_samples(model: Model, options: OptimizeOptions) -> tuple[QuantOptions, Held | None]:
    """What to calibrate with, and what to judge by; None where there are no samples.

    Without data of its own the judgement gets what follows the calibration's samples, which are at most half of all.

    Raises:
        UsageError: a goal without samples; DataError: fewer than two.
    """
    settings, goal = options.int8, options.goal or Goal()
    if not settings.data and not goal.eval_data:
        if options.goal is not None:
            raise UsageError("--metric and --max-drop need samples: give --data.")
        return settings, None
    settings = fitted(model, settings)
    reading = settings.data_options
    if not goal.eval_data:
        samples = _calibration_samples(model, settings)
        settings = replace(settings, samples=samples)
        limit = None if reading.limit is None else max(reading.limit - samples, 1)
        reading = replace(reading, offset=reading.offset + samples, limit=limit)
    data, names = goal.eval_data or settings.data, (options.input_names, options.output_names)
    return settings, Held(data, reading, goal, settings.signature, options.tags, *names)


def _calibration_samples(model: Model, settings: QuantOptions) -> int:
    """As many as were asked for, at most half of them all; whole batches."""
    data = open_samples(model, settings)
    size = data.size
    if size is None:  # record files do not tell: counted as far as it matters
        batches = islice(data.batches(settings.batch), -(-2 * settings.samples // settings.batch))
        size = sum(len(b) for b in batches)
    if size < 2:
        raise DataError(
            f"{settings.data} holds {size} sample: calibration and the judgement need different ones. Give more, or "
            "others with --eval-data."
        )
    samples = min(settings.samples, size // 2)
    return max(samples // settings.batch * settings.batch, min(samples, settings.batch), 1)
