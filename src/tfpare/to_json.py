"""Reports as JSON: dataclasses become objects; what JSON lacks becomes the plainest thing that it has."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias, cast

from tfpare.ir.types import DType, Shape

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def to_json(value: object) -> Json:
    """A report as JSON values.

    Shapes become lists (null for an unknown dimension, null alone for unknown rank), dtypes and paths strings, and the
    floats that JSON cannot write the strings `NaN`, `Infinity` and `-Infinity`.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Shape):
        return None if value.dims is None else list(value.dims)
    if isinstance(value, (DType, Path)):
        return str(value)
    if isinstance(value, Enum):
        return to_json(value.value)
    return _container(value)


def _float(value: float) -> Json:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _container(value: object) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(v) for v in cast("list[object]", list(cast("Any", value)))]
    plain = getattr(value, "tolist", None)  # NumPy arrays and scalars
    return to_json(plain()) if callable(plain) else str(value)
