"""The user's samples for one signature of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tfpare.data.open import open_data
from tfpare.data.types import DataSet
from tfpare.errors import UsageError, nearest
from tfpare.feeds.hints import describe
from tfpare.io.entries import input_values
from tfpare.ir.graph import Value
from tfpare.ir.model import Model, Signature
from tfpare.quant.options import QuantOptions

_PROVEN_WITH = 16  # samples: enough for a share of top classes, few enough to run with the original at once


def calibrated_signature(model: Model, options: QuantOptions) -> Signature:
    """The signature that the samples are for: the one that was asked for, `serving_default`, or the first.

    Raises:
        UsageError: there is none of that name.
    """
    known = model.signatures
    if options.signature and options.signature not in known:
        raise UsageError(
            f"There is no signature {options.signature!r} to calibrate.{nearest(options.signature, known)}"
        )
    if not known:
        raise UsageError("The model has no signature that samples could be fed to.")
    return known.get(options.signature or "serving_default") or next(iter(known.values()))


def entry_feeds(model: Model, signature: Signature) -> dict[str, Value]:
    """The values of its graph that a signature's inputs are fed to, by input key; composite inputs are left out."""
    return {key: values[0] for key, values in input_values(model, signature).items() if len(values) == 1}


def fixed_batch(model: Model, options: QuantOptions) -> int | None:
    """The batch that the calibrated signature demands; None where it is free."""
    constants = options.data_options.constants
    infos = [i for k, i in calibrated_signature(model, options).inputs.items() if k not in constants]
    sizes = {i.shape.dims[0] for i in infos if i.shape.dims} - {None}
    return sizes.pop() if len(sizes) == 1 else None


def fitted(model: Model, options: QuantOptions) -> QuantOptions:
    """With calls of the size that the calibrated signature demands."""
    batch = fixed_batch(model, options)
    return options if batch is None else replace(options, batch=batch)


def open_samples(model: Model, options: QuantOptions) -> DataSet:
    """The data set.

    Raises:
        DataError: there is none, or it does not fit the signature.
    """
    return open_data(options.data, describe(model, calibrated_signature(model, options)), options.data_options)


def write_proof_inputs(model: Model, options: QuantOptions, path: Path) -> Path:
    """The first samples as an `.npz` that the proof feeds: drawn numbers would lie outside the measured ranges.

    Raises:
        DataError: a sample cannot be used.
    """
    batch = next(iter(open_samples(model, options).batches(fixed_batch(model, options) or _PROVEN_WITH)))
    np.savez(path, **batch.feeds)  # pyright: ignore[reportArgumentType]
    return path
