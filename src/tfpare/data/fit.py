"""From a sample's fields to what a signature takes: the right names, dtypes and shapes, no NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfpare.data.labels import one_label
from tfpare.data.names import Assignment, assign, wanted_inputs
from tfpare.data.preprocess import Preprocess
from tfpare.data.source import Encoded, Fields
from tfpare.data.types import DataOptions, Unusable
from tfpare.feeds.spec import InputSpec, SignatureSpec
from tfpare.ir.types import Array

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample ready to be stacked: values by input key without a batch dimension, and the label."""

    feeds: dict[str, Array]
    label: Array | None


class Fitter:
    """Makes samples for one signature.

    Args:
        spec: the signature.
        options: names, preprocessing, labels.
        is_flat: arrays come without a shape and take that of the input.

    Raises:
        DataError: options that do not fit the signature.
    """

    def __init__(self, spec: SignatureSpec, options: DataOptions, is_flat: bool = False) -> None:
        self.wanted = wanted_inputs(spec, options)
        self._options, self._is_flat = options, is_flat
        self._preprocess = {i.key: Preprocess(i, options) for i in self.wanted if i.dtype.name != "string"}
        self._assignments: dict[tuple[str, ...], Assignment] = {}

    def assignment(self, fields: Sequence[str]) -> Assignment:
        """Which field goes where.

        Raises:
            Unusable: an input or a label has none.
        """
        known = tuple(fields)
        if known not in self._assignments:
            self._assignments[known] = assign(self.wanted, known, self._options)
        return self._assignments[known]

    def sample(self, fields: Fields) -> Sample:
        """One sample.

        Raises:
            Unusable: with the reason.
        """
        assigned = self.assignment(list(fields))
        feeds = {i.key: self._value(i, fields[assigned.inputs[i.key]]) for i in self.wanted}
        label = None if assigned.label is None else fields[assigned.label]
        if isinstance(label, Encoded):
            label = np.asarray(label.data, object)
        return Sample(feeds, None if label is None else one_label(label, self._options))

    def _value(self, spec: InputSpec, value: Array | Encoded) -> Array:
        if spec.dtype.name == "string":
            return _string(spec, value, self._is_flat)
        preprocess = self._preprocess[spec.key]
        if isinstance(value, Encoded):
            array = _decoded(spec, value.data, preprocess)
        elif value.dtype.kind in "SUO":
            array = _parsed(spec, value)
        else:
            array = value
        if self._is_flat and array.ndim == 1:
            array = _shaped(spec, array)
        return _checked(spec, _cast(spec, preprocess(array)))


def _decoded(spec: InputSpec, data: bytes, preprocess: Preprocess) -> Array:
    """A picture; or raw numbers, where the bytes are as many as the input takes."""
    size, item = _size(spec), spec.dtype.numpy
    if size is not None and item is not None and not data.startswith(_PICTURES):
        for raw in (np.dtype(np.uint8), item):
            if len(data) == size * raw.itemsize:
                return np.frombuffer(data, raw)
    if spec.dims is not None and len(spec.dims) != 4:
        raise Unusable(f"{len(data)} bytes are no value of the input {spec.key!r} of shape {_shape(spec)}.")
    from tfpare.io.images import decode  # noqa: PLC0415 - TensorFlow, only where it is needed

    try:
        return decode(data, preprocess.channels or 3)
    except ValueError as error:
        raise Unusable(f"it cannot be decoded as a picture: {error}") from error


def _parsed(spec: InputSpec, value: Array) -> Array:
    try:
        return np.array([float(v) for v in value.ravel().tolist()], np.float64).reshape(value.shape)
    except ValueError as error:
        raise Unusable(f"the input {spec.key!r} takes numbers: {error}.") from error


def _string(spec: InputSpec, value: Array | Encoded, is_flat: bool) -> Array:
    if isinstance(value, Encoded):
        result = np.asarray(value.data, object)
    elif value.dtype.kind not in "SUO":
        raise Unusable(f"the input {spec.key!r} takes strings, not {value.dtype}.")
    else:
        items = [v.encode() if isinstance(v, str) else bytes(v) for v in value.ravel().tolist()]
        result = np.empty(len(items), object)
        result[:] = items
        result = result.reshape(value.shape)
    if result.ndim == 0 and spec.dims is not None and spec.dims[1:] == (1,):
        result = result.reshape(1)
    return _checked(spec, _shaped(spec, result) if is_flat and result.ndim == 1 else result)


def _size(spec: InputSpec) -> int | None:
    rest = None if spec.dims is None else spec.dims[1:]
    if rest is None or None in rest:
        return None
    return int(np.prod([d or 0 for d in rest]))


def _shaped(spec: InputSpec, array: Array) -> Array:
    """A flat list of values in the input's shape, where that follows."""
    if spec.dims is None:
        return array
    shape = [-1 if d is None else d for d in spec.dims[1:]]
    if shape.count(-1) > 1:
        return array
    try:
        return np.reshape(array, shape)
    except ValueError:
        return array  # the check of the shape says what is wrong


def _cast(spec: InputSpec, array: Array) -> Array:
    wanted = spec.dtype.numpy
    if wanted is None or array.dtype == wanted:
        return array
    if array.dtype.kind == "V" and array.dtype.itemsize == wanted.itemsize:  # NumPy files do not know bfloat16
        return array.view(wanted)
    if array.dtype.kind == "f" and spec.dtype.name == "uint8" and array.ndim == 3:
        array = np.clip(np.rint(array), 0, 255)  # a resized picture
    if spec.dtype.is_integer and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Unusable(f"the input {spec.key!r} takes {spec.dtype}, the value holds NaN or infinities.")
    cast = array.astype(wanted)
    if spec.dtype.is_integer and not np.array_equal(cast.astype(array.dtype), array):
        raise Unusable(f"the input {spec.key!r} takes {spec.dtype}; the {array.dtype} values do not fit into it.")
    return cast


def _checked(spec: InputSpec, array: Array) -> Array:
    if spec.dims is not None:
        rest = spec.dims[1:]
        if len(rest) != array.ndim or any(d not in (None, n) for d, n in zip(rest, array.shape, strict=True)):
            hint = " Give --resize HxW." if len(rest) == 3 and array.ndim == 3 else ""
            raise Unusable(f"it has the shape {list(array.shape)}, the input {spec.key!r} takes {_shape(spec)}.{hint}")
    if (spec.dtype.is_float or spec.dtype.name.startswith("complex")) and np.isnan(array).any():
        raise Unusable(f"the value for {spec.key!r} holds NaN.")
    return array


def _shape(spec: InputSpec) -> str:
    return "[" + ", ".join("?" if d is None else str(d) for d in (spec.dims or ())[1:]) + "]"
