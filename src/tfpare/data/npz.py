"""`.npz` files, read row by row: memory does not grow with the file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy

from tfpare.data.fit import Fitter
from tfpare.data.source import Fields, Record
from tfpare.data.types import DataError, Unusable
from tfpare.ir.types import Array

_Header: TypeAlias = tuple[tuple[int, ...], bool, np.dtype[Any]]
_CHUNK_BYTES = 1 << 20
_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


class NpzSource:
    """The arrays that inputs and label are taken from, cut along the first dimension.

    Args:
        path: the file.
        fitter: says which arrays are wanted.

    Raises:
        DataError: no such file, no `.npz`, pickled arrays, an array that is missing, or unequal lengths.
    """

    is_flat = False

    def __init__(self, path: Path, fitter: Fitter) -> None:
        self._path = path
        headers: dict[str, _Header] = _reading(path, lambda: _headers(path))
        try:
            assigned = fitter.assignment(list(headers))
        except Unusable as error:
            raise DataError(f"{path}: {error}") from error
        self._names: list[str] = sorted({*assigned.inputs.values(), *([assigned.label] if assigned.label else [])})
        lengths = {name: (headers[name][0] or (None,))[0] for name in self._names}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"{path}: the arrays have unequal numbers of rows: {shown}.")
        self.size = next(iter(lengths.values())) or 0
        self.description = f"{path.name}, {self.size} rows of {', '.join(self._names)}"

    def records(self) -> Iterator[Record]:
        """See `Source`."""
        with ExitStack() as stack:
            rows = {name: stack.enter_context(_Rows(self._path, name)) for name in self._names}
            for number in range(self.size):
                fields: Fields = {n: _reading(self._path, r.read) for n, r in rows.items()}
                yield Record(f"{self._path.name} row {number}", lambda fields=fields: fields)


def _reading(path: Path, read: Callable[[], Any]) -> Any:
    """Calls `read`, and tells of damaged files in one way: NumPy raises zipfile's, zlib's and its own errors."""
    try:
        return read()
    except DataError:
        raise
    except Exception as error:
        hint = " Pickled (object) arrays are refused: save strings as fixed-width arrays (dtype 'S')."
        pickled = isinstance(error, ValueError) and "pickle" in str(error)
        raise DataError(f"{path} cannot be read as .npz: {error}.{hint if pickled else ''}") from error


def _headers(path: Path) -> dict[str, _Header]:
    found: dict[str, _Header] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as stream:
                header = _HEADERS[npy.read_magic(stream)](stream)
            if header[2].hasobject:
                raise ValueError(f"{name} holds pickled objects")
            found[name.removesuffix(".npy")] = header
    return found


class _Rows:
    """One array of the file, row after row."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._archive = zipfile.ZipFile(path)
        self._stream = self._archive.open(f"{name}.npy")
        shape, self._is_fortran, self._dtype = _HEADERS[npy.read_magic(self._stream)](self._stream)
        self._row: tuple[int, ...] = shape[1:]
        self._left: int = shape[0]
        self._next = 0
        self._chunk: Array = np.empty((0, *self._row), self._dtype)

    def read(self) -> Array:
        if self._next == len(self._chunk):
            self._chunk, self._next = self._more(), 0
            self._left -= len(self._chunk)
        self._next += 1
        return self._chunk[self._next - 1, ...]

    def _more(self) -> Array:
        row_bytes = self._dtype.itemsize * int(np.prod(self._row))
        if (self._is_fortran and self._row) or row_bytes == 0:  # rows do not lie one behind the other
            with np.load(self._path, allow_pickle=False) as arrays:
                return arrays[self._name]
        count = min(self._left, max(1, _CHUNK_BYTES // row_bytes))
        data = self._stream.read(count * row_bytes)
        if len(data) < count * row_bytes:
            raise ValueError(f"{self._name} ends too early")
        return np.frombuffer(data, self._dtype).reshape(count, *self._row)

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._archive.close()
