"""Samples from Python: a function (or an iterable, such as a tf.data.Dataset) that yields dicts by input key."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

import numpy as np

from tfpare.data.fit import Fitter
from tfpare.data.source import Fields, Record
from tfpare.data.types import DataError, Unusable
from tfpare.errors import nearest
from tfpare.ir.types import Array

Samples: TypeAlias = "Iterable[object] | Callable[[], Iterable[object]]"
"""What yields dicts by input key, or pairs of features and label; each one a sample or a batch of them."""


def from_name(name: str) -> Any:
    """What `module:function` names; modules in the working directory are found, too.

    Raises:
        DataError: there is no such module, or nothing of that name in it.
    """
    module_name, _, path = name.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise DataError(f"The module {module_name!r} of {name!r} cannot be imported: {error}.") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise DataError(f"{module_name} has no {path!r}.{nearest(part, dir(found))}")
        found = getattr(found, part)
    return found


class PythonSource:
    """What a function of the user yields.

    Values with one dimension more than a sample of the input has are batches, and are taken apart.

    Args:
        samples: function without arguments, or iterable that can be gone through more than once.
        name: for messages.
        fitter: knows the inputs' ranks.
    """

    is_flat = False
    size = None

    def __init__(self, samples: Samples, name: str, fitter: Fitter) -> None:
        self._samples, self._name, self._fitter = samples, name, fitter
        self.description = f"{name} (Python)"

    def records(self) -> Iterator[Record]:
        """See `Source`."""
        number = 0
        for number, item in enumerate(self._items()):
            name = f"{self._name} item {number}"
            try:
                fields = self._fields(item)
            except Unusable as error:
                raise DataError(f"{name}: {error}") from error
            yield from self._split(name, fields)

    def _items(self) -> Iterator[object]:
        """The items; an exception in the user's code ends the data set, since nobody can go on behind it."""
        number = 0
        try:
            for item in self._samples() if callable(self._samples) else self._samples:
                yield item
                number += 1
        except Exception as error:
            raise DataError(
                f"{self._name} raised {type(error).__name__} at item {number}: {error} "
                "(A generator that has raised is at its end: --skip-bad cannot go on behind it.)"
            ) from error

    def _fields(self, item: object) -> Fields:
        features, label = _pair(item)
        if not isinstance(features, Mapping):
            if len(self._fitter.wanted) != 1:
                raise Unusable(f"it is a {type(features).__name__}; a dict by input key is expected.")
            features = {self._fitter.wanted[0].key: features}
        fields: Fields = {str(k): _array(v) for k, v in cast("Mapping[object, object]", features).items()}
        if label is not None:
            fields["label"] = _array(label)
        return fields

    def _split(self, name: str, fields: Fields) -> Iterator[Record]:
        arrays = {k: v for k, v in fields.items() if isinstance(v, np.ndarray)}
        if not self._is_batch(arrays):
            yield Record(name, lambda: fields)
            return
        sizes = {k: a.shape[0] if a.ndim else None for k, a in arrays.items()}
        if len(set(sizes.values())) > 1:
            raise DataError(f"{name}: the arrays of the batch have unequal lengths: {sizes}.")
        for row in range(next(iter(sizes.values())) or 0):
            one: Fields = {k: a[row, ...] for k, a in arrays.items()}
            yield Record(f"{name} row {row}", lambda one=one: one)

    def _is_batch(self, arrays: Mapping[str, Array]) -> bool:
        """Whether values have the rank of a batch; where no rank is known, they are taken for batches."""
        try:
            inputs = self._fitter.assignment(list(arrays)).inputs
        except Unusable:
            return False  # loading the sample says what is wrong
        for spec in self._fitter.wanted:
            if spec.dims is not None:
                rank, given = len(spec.dims), arrays[inputs[spec.key]].ndim
                grey = rank == 4 and spec.dims[-1] == 1
                return given == rank or (grey and given == 3 and arrays[inputs[spec.key]].shape[-1] != 1)
        return all(a.ndim > 0 for a in arrays.values())


def _pair(item: object) -> tuple[object, object]:
    """Features and label, as tf.data and Keras pair them."""
    if isinstance(item, (tuple, list)):
        parts = list(cast("tuple[object, ...]", item))
        if len(parts) == 2:
            return parts[0], parts[1]
    return cast("object", item), None


def _array(value: object) -> Array:
    numpy = getattr(value, "numpy", None)  # a tensor
    array = np.asarray(numpy() if callable(numpy) else value)
    return array.astype(object) if array.dtype.kind in "SU" else array
