"""Text files with one sample a line: comma- or tab-separated, with a header unless the columns are given."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfpare.data.fit import Fitter
from tfpare.data.names import LABELS
from tfpare.data.source import Fields, Record
from tfpare.data.types import DataError, DataOptions, Unusable
from tfpare.ir.types import Array

_LONGEST_CELL = 1 << 27


class TextTable:
    """The lines of a file.

    Columns go to the inputs of their names. A signature whose one input takes n numbers gets all n columns that are not
    the label, in their order.

    Raises:
        DataError: no such file, no header, or a column that is missing.
    """

    is_flat = False
    size = None

    def __init__(self, path: Path, fitter: Fitter, options: DataOptions) -> None:
        self._path, self._options = path, options
        self._delimiter = "," if path.suffix.lower() == ".csv" else "\t"
        columns = list(options.columns) or next((cells for _, cells in self._rows()), list[str]())
        if not columns or len(set(columns)) < len(columns):
            raise DataError(f"{path} has no header line of distinct column names; name them with --columns a,b,….")
        self._columns = columns
        self._vector = self._find_vector(fitter)
        if not self._vector:
            try:
                fitter.assignment(columns)
            except Unusable as error:
                raise DataError(f"{path}: {error}") from error
        self.description = f"{path.name}, text with the columns {_listed(columns)}"

    def _find_vector(self, fitter: Fitter) -> str:
        """The one input that takes a vector of as many numbers as there are columns beside the label."""
        if len(fitter.wanted) != 1 or fitter.wanted[0].dtype.name == "string":
            return ""
        one = fitter.wanted[0]
        rest = len(self._columns) - (self._label() is not None)
        fits = one.dims is not None and len(one.dims) == 2 and one.dims[1] == rest
        return one.key if fits and one.key not in self._columns else ""

    def _label(self) -> str | None:
        names = (self._options.label_key,) if self._options.label_key else LABELS
        return next((n for n in names if n in self._columns), None)

    def records(self) -> Iterator[Record]:
        """See `Source`."""
        rows = self._rows()
        if not self._options.columns:
            next(rows, None)
        for line, cells in rows:
            if cells:
                yield Record(f"{self._path.name} line {line}", lambda cells=cells: self._load(cells))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(_LONGEST_CELL)
        # In tab-separated files a quotation mark is a character like any other.
        quoting = csv.QUOTE_MINIMAL if self._delimiter == "," else csv.QUOTE_NONE
        try:
            with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, delimiter=self._delimiter, quoting=quoting)
                for cells in reader:
                    yield reader.line_num, cells
        except (OSError, csv.Error) as error:
            raise DataError(f"{self._path} cannot be read: {error}.") from error

    def _load(self, cells: Sequence[str]) -> Fields:
        if len(cells) != len(self._columns):
            raise Unusable(f"it has {len(cells)} cells, there are {len(self._columns)} columns.")
        try:
            fields: Fields = {n: np.asarray(c.encode(), object) for n, c in zip(self._columns, cells, strict=True)}
        except UnicodeEncodeError as error:
            raise Unusable("it is not UTF-8.") from error
        if not self._vector:
            return fields
        label = self._label()
        numbers: Array = np.array([c for n, c in zip(self._columns, cells, strict=True) if n != label], object)
        kept: Fields = {label: fields[label]} if label else {}
        return {self._vector: numbers, **kept}


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:8]) + (f", … ({len(columns)})" if len(columns) > 8 else "")
