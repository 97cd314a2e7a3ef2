"""Where pages go: refused early when the place is wrong, written at once when the page is done."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tfpare.errors import UsageError


def check_page(path: Path, overwrite: bool) -> None:
    """Refuses a place before any work is done.

    Raises:
        UsageError: with what to do.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory. Name the file of the page, such as {path / 'report.html'}.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already. Choose another name, or replace it with --overwrite.")
    if not path.parent.is_dir():
        raise UsageError(f"The directory {path.parent} does not exist. Create it first.")


def write_page(page: str, path: Path) -> None:
    """Writes beside the place and renames, so that no half page ever shows.

    Raises:
        UsageError: the place cannot be written.
    """
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(page)
            os.chmod(scratch, 0o644)
            os.replace(scratch, path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
