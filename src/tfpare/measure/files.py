"""What a model takes on disk, and in an archive."""

from __future__ import annotations

import zlib
from pathlib import Path

from tfpare.measure.types import FileSizes
from tfpare.stats import file_bytes

_CHUNK = 1 << 20
_ZIP_ENTRY_BYTES = 120  # headers of a file in an archive, roughly; weights make them vanish


def file_sizes(path: Path, measure_zip: bool = True) -> FileSizes:
    """Bytes of a model's files, and of a zip archive with them (deflate, zlib's usual level)."""
    return FileSizes(file_bytes(path), sum(map(_zipped, _files(path))) if measure_zip else None)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [f for f in path.rglob("*") if f.is_file()]
    return [path] if path.is_file() else list(path.parent.glob(f"{path.name}.*"))


def _zipped(path: Path) -> int:
    packer = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION)
    total = _ZIP_ENTRY_BYTES
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total += len(packer.compress(chunk))
    return total + len(packer.flush())
