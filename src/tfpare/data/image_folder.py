"""A directory of pictures: the sub-directories are the classes, or there are none and no labels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfpare.data.source import Encoded, Fields, Record
from tfpare.data.types import DataError, DataOptions, Unusable
from tfpare.errors import nearest

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


class ImageFolder:
    """All pictures below a directory, in an order that is drawn once with a seed.

    Folders named by integers have these as labels. Others are numbered in the order of their names, or in that of
    `DataOptions.classes`.

    Raises:
        DataError: no such directory, or no picture in it; a folder that is no class; or pictures beside folders.
    """

    is_flat = False

    def __init__(self, path: Path, options: DataOptions) -> None:
        self._path = path
        folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
        loose = _pictures(path.iterdir())
        if folders and loose:
            raise DataError(f"{path} holds both pictures ({loose[0].name}, …) and folders: which class are they of?")
        numbers = _numbers(path, [f.name for f in folders], options.classes)
        self._files: list[tuple[Path, int | None]] = [(file, None) for file in loose]
        for folder in folders:
            self._files += [(file, numbers[folder.name]) for file in _pictures(folder.rglob("*"))]
        if not self._files:
            raise DataError(f"There is no picture ({', '.join(EXTENSIONS)}) in {path}.")
        random.Random(options.seed).shuffle(self._files)  # else --limit would take the first classes only
        self.size = len(self._files)
        classes = f" in {len(folders)} class folders" if folders else ", no labels"
        self.description = f"{path.name}, {self.size} pictures{classes}"

    def records(self) -> Iterator[Record]:
        """See `Source`."""
        for file, label in self._files:
            yield Record(str(file), lambda file=file, label=label: _load(file, label))


def _load(file: Path, label: int | None) -> Fields:
    try:
        picture = Encoded(file.read_bytes())
    except OSError as error:
        raise Unusable(f"it cannot be read: {error.strerror}.") from error
    return {"image": picture} if label is None else {"image": picture, "label": np.asarray(label)}


def _pictures(paths: Iterator[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in EXTENSIONS and not p.name.startswith(".") and p.is_file())


def _numbers(path: Path, names: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """The label of each folder."""
    if classes:
        for name in names:
            if name not in classes:
                raise DataError(
                    f"The folder {path / name} is none of the {len(classes)} classes.{nearest(name, classes)}"
                )
        return {name: classes.index(name) for name in names}
    if all(name.isascii() and name.isdigit() for name in names):
        return {name: int(name) for name in names}
    return {name: k for k, name in enumerate(names)}
