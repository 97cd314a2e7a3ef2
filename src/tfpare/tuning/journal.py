"""What a search has measured so far, in a file, so that one that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

_FOUND = TypeAdapter(dict[str, dict[str, JsonValue]])


class Journal:
    """Results by what was asked.

    Args:
        folder: where the file is; None keeps everything in memory.
        subject: what the results are about; results of another subject are not seen.
    """

    def __init__(self, folder: Path | None, subject: str) -> None:
        self._subject = hashlib.sha256(subject.encode()).hexdigest()
        self._path = None if folder is None else folder / "search.json"
        self._found: dict[str, dict[str, JsonValue]] = {}
        if self._path is not None:
            try:
                self._found = _FOUND.validate_json(self._path.read_bytes())
            except (OSError, ValueError):  # there is none yet, or it was cut off
                self._found = {}

    def get(self, key: str) -> JsonValue | None:
        """What was found for a key."""
        return self._found.get(self._subject, {}).get(key)

    def put(self, key: str, value: JsonValue) -> None:
        """Notes a result."""
        self._found.setdefault(self._subject, {})[key] = value
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(self._found))
            temporary.replace(self._path)
