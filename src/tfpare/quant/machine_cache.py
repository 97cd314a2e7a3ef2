"""What was found out about this machine and this TensorFlow, kept between runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Generic, TypeVar

from tfpare.precision.cpu import cpu_key

T = TypeVar("T")
# What changes which kernels run: whether oneDNN is on (by default it is), and the instructions that it may use.
_SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


@dataclass(slots=True)
class MachineCache(Generic[T]):
    """A mapping in a file of the user's cache directory; one for each CPU, build of TensorFlow and setting of oneDNN.

    Args:
        name: of the file.
        parse: the mapping from the file's bytes; raises ValueError where they are none.
    """

    name: str
    parse: Callable[[bytes], dict[str, T]]
    known: dict[str, T] = field(default_factory=dict[str, T], init=False)

    def __post_init__(self) -> None:
        try:
            self.known = dict(self.parse(self._path().read_bytes()))
        except (OSError, ValueError):
            self.known = {}

    def remember(self) -> None:
        """Writes what is known; a home that cannot be written is no error, it is only found out again."""
        path = self._path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(self.known))
            temporary.replace(path)
        except OSError:
            return

    def _path(self) -> Path:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfpare"
        settings = "-".join(os.environ.get(name, "") for name in _SETTINGS)
        return root / f"{self.name}-{cpu_key()}-{_build()}-onednn{settings}.json"


def _build() -> str:
    for package in ("tensorflow", "tensorflow-cpu", "tensorflow-intel"):
        try:
            return f"{package}-{metadata.version(package)}"
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
