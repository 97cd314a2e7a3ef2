"""Signatures and samples for the tests of data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfpare.data.open import open_data
from tfpare.data.types import Batch, DataOptions, SkipLog
from tfpare.feeds.spec import InputSpec, SignatureSpec
from tfpare.ir.types import dtype


def signature(**inputs: tuple) -> SignatureSpec:
    """`x=("float32", (None, 4))`, with a third entry for what strings mean."""
    specs = [InputSpec(k, dtype(v[0]), v[1], (k,), kind=v[2] if len(v) > 2 else "") for k, v in inputs.items()]
    return SignatureSpec("serving_default", tuple(specs))


def read(source, spec: SignatureSpec, batch_size: int = 4, skipped: SkipLog | None = None, **options) -> list[Batch]:
    """All batches."""
    return list(open_data(source, spec, DataOptions(**options)).batches(batch_size, skipped=skipped))


def labels(batches: list[Batch]) -> list:
    return [label for batch in batches for label in batch.labels.tolist()]


def png(pixels: np.ndarray) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(pixels).numpy()


def write_picture(path: Path, value: int, size: tuple[int, int] = (6, 5), channels: int = 3) -> None:
    """One colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(np.full((*size, channels), value, np.uint8)))
