"""TFRecord files, with TensorFlow's own reader."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

_GZIP = b"\x1f\x8b"


def read(path: Path) -> Iterator[bytes]:
    """The records of a plain or gzipped file, one after the other.

    Raises:
        ValueError: the file cannot be read, or is damaged from here on.
    """
    import tensorflow as tf
    from tensorflow.python.util import deprecation

    try:
        with path.open("rb") as file:
            kind = "GZIP" if file.read(2) == _GZIP else ""
        with deprecation.silence():  # its successor, tf.data, does not run in graph mode
            iterator = tf.compat.v1.io.tf_record_iterator(str(path), tf.io.TFRecordOptions(kind))
            first = next(iterator, None)
        if first is not None:
            yield first
            yield from iterator
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except tf.errors.OpError as error:
        raise ValueError(str(error.message)) from error


def write(path: Path, records: Iterable[bytes]) -> None:
    """Writes a plain file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
