"""TFRecords of tf.Examples: fed as they are, or their features by input key (ImageNet's layout among them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tfpare.data.fit import Fitter
from tfpare.data.names import LABELS
from tfpare.data.source import Encoded, Fields, Record
from tfpare.data.types import DataError, DataOptions, Unusable
from tfpare.io import examples, records


class TfRecords:
    """The records of some files, in the order of the files' names.

    Raises:
        DataError: `records=serialized` where the model takes no string; an unknown value of it.
    """

    is_flat = True
    size = None

    def __init__(self, name: str, files: Sequence[Path], fitter: Fitter, options: DataOptions) -> None:
        self._files, self._options = files, options
        self._serialized_to = _serialized_to(fitter, options)
        many = f" ({len(files)} files)" if len(files) > 1 else ""
        fed = "fed as serialized tf.Examples" if self._serialized_to else "tf.Examples parsed into the inputs"
        self.description = f"{name}{many}, TFRecords, {fed}"

    def records(self) -> Iterator[Record]:
        """See `Source`."""
        for file in self._files:
            number = -1
            try:
                for number, data in enumerate(records.read(file)):
                    yield Record(f"{file.name} record {number}", lambda data=data: self._load(data))
            except ValueError as error:
                raise DataError(f"{file} breaks off at record {number + 1}: {error}") from error

    def _load(self, data: bytes) -> Fields:
        try:
            features = examples.parse(data)
        except ValueError as error:
            raise Unusable("it is no tf.Example.") from error
        fields: Fields = {}
        if self._serialized_to:
            names = (self._options.label_key,) if self._options.label_key else LABELS
            label = next((n for n in names if n in features), None)
            fields[self._serialized_to] = Encoded(data)
            if label is not None:
                fields[label] = features[label]
            return fields
        for name, array in features.items():
            one = array.dtype.kind == "O" and array.size == 1
            fields[name] = Encoded(array.item()) if one else array
        return fields


def _serialized_to(fitter: Fitter, options: DataOptions) -> str:
    """The input that takes whole records; empty where features are parsed."""
    if options.records not in ("auto", "serialized", "parsed"):
        raise DataError(f"--records is auto, serialized or parsed, not {options.records!r}.")
    strings = [i for i in fitter.wanted if i.dtype.name == "string"]
    if options.records == "serialized" and (len(strings) != 1 or len(fitter.wanted) != 1):
        raise DataError("--records serialized needs a signature whose one input takes strings.")
    takes = len(fitter.wanted) == 1 and bool(strings)
    wants = options.records == "serialized" or (options.records == "auto" and takes and strings[0].kind == "example")
    return strings[0].key if takes and wants else ""


def is_record_name(name: str) -> bool:
    """Whether a file is named as TFRecord files are: `….tfrecord…`, `train-00000-of-00128`."""
    return ".tfrecord" in name or name.endswith(".tfrec") or _is_part(name)


def _is_part(name: str) -> bool:
    stem, middle, last = name.rpartition("-of-")
    return bool(middle) and last.isdigit() and stem.rpartition("-")[2].isdigit()
