"""How parent and child exchange messages: a JSON header and plain array bytes. Nothing is ever unpickled."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from tfpare.ir.types import Array, dtype, dtype_of

_LENGTH = struct.Struct("<Q")
Header = dict[str, Any]
Message = tuple[Header, dict[str, Array]]


def send(stream: BinaryIO, header: Header, arrays: Mapping[str, Array] | None = None) -> None:
    """Writes one message: length, JSON header (which describes the arrays), then each array's bytes.

    Args:
        stream: where to.
        header: JSON values; the key `arrays` is reserved.
        arrays: by name; any dtype that a tensor can have, object arrays hold `bytes` (or `str`).
    """
    described: list[list[Any]] = []
    blobs: list[bytes] = []
    for name, array in (arrays or {}).items():
        type_ = dtype_of(array).name
        blob = _strings_to_bytes(array) if type_ == "string" else array.tobytes()
        described.append([name, type_, list(array.shape), len(blob)])
        blobs.append(blob)
    text = json.dumps({**header, "arrays": described}).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(read: Callable[[int], bytes]) -> Message:
    """Reads one message.

    Args:
        read: gives exactly that many bytes, or raises.

    Raises:
        EOFError: the other side is gone (from `read`).
    """
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    header = json.loads(read(length))
    arrays: dict[str, Array] = {}
    for name, type_, shape, size in header.pop("arrays"):
        arrays[name] = _from_bytes(read(size), type_, tuple(shape))
    return header, arrays


def _from_bytes(blob: bytes, type_: str, shape: tuple[int, ...]) -> Array:
    if type_ == "string":
        return _strings_from_bytes(blob, shape)
    flat: Array = np.frombuffer(blob, dtype(type_).numpy)
    return np.reshape(flat, shape)


def _strings_to_bytes(array: Array) -> bytes:
    items = [s.encode() if isinstance(s, str) else bytes(s) for s in array.ravel().tolist()]
    return np.array([len(s) for s in items], np.int64).tobytes() + b"".join(items)


def _strings_from_bytes(blob: bytes, shape: tuple[int, ...]) -> Array:
    result = np.empty(shape, object)
    flat = result.ravel()  # a view, since fresh arrays are contiguous
    ends = np.cumsum(np.frombuffer(blob, np.int64, count=flat.size)) + 8 * flat.size
    start = 8 * flat.size
    for k, end in enumerate(ends.tolist()):
        flat[k] = blob[start:end]
        start = end
    return result


def part_keys(key: str, tensors: int) -> list[str]:
    """The names under which a signature key's tensors are fed: the key, or its parts where it is composite.

    Three tensors are a sparse tensor: `key/indices`, `key/values`, `key/dense_shape`.
    """
    if tensors == 1:
        return [key]
    if tensors == 3:
        return [f"{key}/indices", f"{key}/values", f"{key}/dense_shape"]
    return [f"{key}/{k}" for k in range(tensors)]
