"""The command line: one small file a command, imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Runs `tfpare` with the arguments of this process."""
    from tfpare.cli.app import app

    app()
