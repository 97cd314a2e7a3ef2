"""A virtual environment of its own for the tool that is compared with: it needs an older TensorFlow."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")


def make(folder: Path) -> Path:
    """The environment's interpreter; made where it is not there yet, or was made from other requirements."""
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    if stamp.is_file() and stamp.read_text() == REQUIREMENTS.read_text():
        return python
    if sys.version_info < (3, 11):
        raise SystemExit("neural-compressor-tf needs Python 3.11 or newer: run this program with one")
    print(f"installing {REQUIREMENTS.name} into {folder} (some minutes) ...", file=sys.stderr, flush=True)
    venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(REQUIREMENTS.read_text())
    return python
