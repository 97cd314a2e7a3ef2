"""Makes text files end with one newline and lines without trailing blanks; exit code 1 when a file was changed."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def fixed(text: str) -> str:
    """The text as it should be."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n")
    return f"{text}\n" if text else ""


def main(paths: list[str]) -> int:
    """Fixes the files in place."""
    changed = 0
    for path in map(Path, paths):
        text = path.read_bytes().decode("utf-8")  # not read_text: line ends stay what they are
        if fixed(text) != text:
            path.write_bytes(fixed(text).encode("utf-8"))
            print(f"fixed {path}")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
