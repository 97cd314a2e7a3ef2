"""Attribute values of the IR: dtypes, shapes and function references as plain immutable Python values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""A tensor value: any NumPy dtype, `object` (of `bytes`) for strings."""

_EXTENSION = {
    name: np.dtype(getattr(ml_dtypes, name))
    for name in (
        "bfloat16",
        "float8_e5m2",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e4m3b11fnuz",
        "float8_e5m2fnuz",
        "int4",
        "uint4",
    )
    if hasattr(ml_dtypes, name)
}
_QUANTIZED = {"qint8": "int8", "quint8": "uint8", "qint32": "int32", "qint16": "int16", "quint16": "uint16"}
_NO_ARRAY = ("resource", "variant")
_NUMPY = (
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


@dataclass(frozen=True, slots=True)
class DType:
    """A TensorFlow dtype by the name that `tf.as_dtype(...).name` gives, for example `float32` or `float32_ref`."""

    name: str

    @property
    def is_ref(self) -> bool:
        """Whether this is the reference type that TF 1 variables and their updates produce."""
        return self.name.endswith("_ref")

    @property
    def base(self) -> DType:
        """The same type without the reference mark."""
        return dtype(self.name.removesuffix("_ref"))

    @property
    def numpy(self) -> np.dtype[Any] | None:
        """The NumPy dtype that holds such a tensor, None for resources and variants."""
        name = self.base.name
        if name in _NO_ARRAY:
            return None
        if name == "string":
            return np.dtype(object)
        return _EXTENSION.get(name) or (np.dtype(_QUANTIZED.get(name, name)) if _known(name) else None)

    @property
    def is_float(self) -> bool:
        """Whether values are real floating-point numbers (bfloat16 and float8 included)."""
        return self.base.name.startswith(("float", "bfloat"))

    @property
    def is_integer(self) -> bool:
        """Whether values are (unquantized) signed or unsigned integers."""
        return self.base.name.startswith(("int", "uint"))

    def __str__(self) -> str:
        return self.name


def _known(name: str) -> bool:
    return name in _QUANTIZED or name in _NUMPY


@cache
def dtype(name: str) -> DType:
    """The one `DType` object of a name."""
    return DType(name)


def dtype_of(array: Array) -> DType:
    """The DType of a NumPy array; `object`, bytes and str arrays are strings.

    Raises:
        ValueError: no tensor type corresponds to the array's dtype.
    """
    if array.dtype.kind in "OSU":
        return dtype("string")
    name = cast("str", array.dtype.name)
    if name not in _NUMPY and name not in _EXTENSION:
        raise ValueError(f"No tensor dtype corresponds to NumPy dtype {array.dtype}.")
    return dtype(name)


@dataclass(frozen=True, slots=True)
class Shape:
    """A static shape. `dims` is None for unknown rank; an unknown dimension is None."""

    dims: tuple[int | None, ...] | None

    @property
    def rank(self) -> int | None:
        """Number of dimensions, None when unknown."""
        return None if self.dims is None else len(self.dims)

    @property
    def is_full(self) -> bool:
        """Whether rank and every dimension are known."""
        return self.dims is not None and all(d is not None for d in self.dims)

    @property
    def size(self) -> int | None:
        """Number of elements, None when not fully known."""
        if self.dims is None:
            return None
        total = 1
        for d in self.dims:
            if d is None:
                return None
            total *= d
        return total

    def is_compatible(self, other: Shape) -> bool:
        """Whether one tensor can have both shapes."""
        if self.dims is None or other.dims is None:
            return True
        return len(self.dims) == len(other.dims) and all(
            a is None or b is None or a == b for a, b in zip(self.dims, other.dims, strict=True)
        )

    def merge(self, other: Shape) -> Shape:
        """What is known by either of two compatible shapes."""
        if self.dims is None:
            return other
        if other.dims is None:
            return self
        return Shape(tuple(b if a is None else a for a, b in zip(self.dims, other.dims, strict=True)))

    def __str__(self) -> str:
        if self.dims is None:
            return "[*]"
        return "[" + ",".join("?" if d is None else str(d) for d in self.dims) + "]"


UNKNOWN = Shape(None)


@dataclass(frozen=True, slots=True)
class Func:
    """A reference to a library function, with the attributes that the caller binds."""

    name: str
    attrs: tuple[tuple[str, Attr], ...] = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """An attribute that the IR does not interpret: the serialized proto."""

    data: bytes


Attr: TypeAlias = "bool | int | float | str | DType | Shape | Func | Raw | Array | tuple[Attr, ...]"
"""An attribute's value. Strings are decoded with `surrogateescape`, so any bytes survive the round trip."""
