"""Labels as metrics take them: class numbers, numbers, or names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfpare.data.types import DataOptions, Unusable
from tfpare.ir.types import Array


def one_label(value: Array, options: DataOptions) -> Array:
    """A sample's label: a class name becomes its number where the classes are known, a number gets the offset.

    Args:
        value: a scalar, an array of one, or a vector (a target, or scores).
        options: the classes and the offset.

    Raises:
        Unusable: NaN, or a name that is none of the classes.
    """
    value = _scalar(value) if value.size == 1 else value
    if value.dtype.kind in "SUO" and value.ndim == 0:
        value = _of_name(value.item(), options.classes)
    if value.dtype.kind == "f" and np.isnan(value).any():
        raise Unusable("the label is NaN.")
    if value.dtype.kind in "iu" and value.ndim == 0:
        return np.asarray(int(value) + options.label_offset, np.int64)
    return value


def _scalar(value: Array) -> Array:
    return np.asarray(value.item() if value.dtype.kind in "SUO" else value.ravel()[0])


def _of_name(name: bytes | str, classes: Sequence[str]) -> Array:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if classes:
        if text not in classes:
            raise Unusable(f"the label {text!r} is none of the {len(classes)} classes.")
        return np.asarray(classes.index(text), np.int64)
    try:
        number = float(text)
    except ValueError:
        return np.asarray(text.encode(), object)
    is_whole = text.strip().lstrip("+-").isdecimal()
    return np.asarray(int(text), np.int64) if is_whole else np.asarray(number, np.float64)


def stack_labels(labels: Sequence[Array | None]) -> Array | None:
    """The labels of a batch, None where one is missing.

    Raises:
        Unusable: they are not of one kind.
    """
    known = [label for label in labels if label is not None]
    if len(known) < len(labels) or not known:
        return None
    kinds = {("S" if a.dtype.kind == "O" else "n", a.shape) for a in known}
    if len(kinds) > 1:
        raise Unusable("some labels are names and others numbers, or they have several shapes.")
    return np.stack(known)
