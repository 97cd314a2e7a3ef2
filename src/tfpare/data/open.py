"""Opening a data set: what the source is follows from its name, and from what is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tfpare.data.fit import Fitter
from tfpare.data.image_folder import ImageFolder
from tfpare.data.npz import NpzSource
from tfpare.data.python_source import PythonSource, Samples, from_name
from tfpare.data.record_set import RecordSet
from tfpare.data.source import Source
from tfpare.data.text import TextTable
from tfpare.data.tfrecords import TfRecords, is_record_name
from tfpare.data.types import DataError, DataOptions, DataSet
from tfpare.feeds.spec import SignatureSpec

_MODULE = re.compile(r"^[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*(\.\w+)*$")
_GLOB = re.compile(r"[*?\[]")
_TEXT = (".csv", ".tsv", ".txt")
_KNOWN = (
    "A data set is an .npz file, a directory of pictures (class folders), TFRecords (a file, a directory or a "
    "pattern), a .csv or .tsv file, or module:function."
)


def open_data(source: str | Path | Samples, signature: SignatureSpec, options: DataOptions | None = None) -> DataSet:
    """A data set that fills the inputs of a signature.

    Args:
        source: `.npz`; a directory of pictures or of TFRecords; a TFRecord file or a pattern of such files; `.csv`,
            `.tsv`; `module:function`; or a Python function or iterable.
        signature: what is known of its inputs; see `tfpare.feeds.hints.describe`.
        options: how samples are read.

    Raises:
        DataError: nothing of that name, of no known kind, empty, or it does not fit the signature.
    """
    options = options or DataOptions()
    if isinstance(source, (str, Path)):
        make = _by_name(str(source), options)
    else:
        samples, name = source, getattr(source, "__name__", type(source).__name__)
        make: Callable[[Fitter], Source] = lambda fitter: PythonSource(samples, name, fitter)  # noqa: E731
    return RecordSet(make(Fitter(signature, options)), signature, options)


def is_module_function(name: str) -> bool:
    """Whether a data set's name is `module:function`."""
    return _MODULE.match(name) is not None


def _by_name(name: str, options: DataOptions) -> Callable[[Fitter], Source]:
    path = Path(name).expanduser()
    if path.is_dir():
        return _directory(path, options)
    if path.is_file():
        return _file(path, options)
    if is_module_function(name):
        return lambda fitter: PythonSource(from_name(name), name, fitter)
    if _GLOB.search(path.name):
        files = sorted(p for p in path.parent.glob(path.name) if p.is_file())
        if files:
            return lambda fitter: TfRecords(name, files, fitter, options)
    raise DataError(f"There is no data set {name}. {_KNOWN}")


def _directory(path: Path, options: DataOptions) -> Callable[[Fitter], Source]:
    files = sorted(p for p in path.iterdir() if p.is_file() and is_record_name(p.name))
    if files:
        return lambda fitter: TfRecords(path.name, files, fitter, options)
    return lambda fitter: ImageFolder(path, options)


def _file(path: Path, options: DataOptions) -> Callable[[Fitter], Source]:
    if path.suffix == ".npz":
        return lambda fitter: NpzSource(path, fitter)
    if path.suffix.lower() in _TEXT:
        return lambda fitter: TextTable(path, fitter, options)
    if is_record_name(path.name):
        return lambda fitter: TfRecords(path.name, [path], fitter, options)
    raise DataError(f"What {path} holds does not follow from its name. {_KNOWN}")
