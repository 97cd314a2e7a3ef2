"""What commands share: option types, progress on stderr, the result on stdout."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 100
"""Columns of the report where stdout is no terminal."""

_PHASES = {
    "import": "starting TensorFlow",
    "read": "reading",
    "rewrite": "rewriting",
    "write": "writing",
    "verify": "comparing answers",
}

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="SavedModel directory, .pb/.pbtxt, checkpoint prefix (with .meta), .keras or .h5."
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DebugFlag = Annotated[bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's log.")]
TagSet = Annotated[
    str | None, typer.Option("--tag_set", metavar="TAGS", help="MetaGraph with these tags, comma-separated.")
]
Signatures = Annotated[
    list[str] | None, typer.Option("--signature_def", metavar="NAME", help="Signature to keep (all). Repeatable.")
]
InputNames = Annotated[
    list[str] | None,
    typer.Option("--input_names", metavar="A:0,B:0", help="Inputs of a bare graph (guessed when left out)."),
]
OutputNames = Annotated[
    list[str] | None,
    typer.Option("--output_names", metavar="C:0", help="Outputs of a bare graph (guessed when left out)."),
]
OpLibraries = Annotated[
    list[Path] | None,
    typer.Option("--op_library", metavar="FILE.so", help="Library of custom ops to load: it runs with your rights."),
]
DataFile = Annotated[
    Path | None, typer.Option("--data", metavar="FILE.npz", help="Arrays to verify with, by input key.")
]
InputFiles = Annotated[str | None, typer.Option("--inputs", metavar="'KEY=FILE.npy;…'", help="Inputs from files.")]
InputExprs = Annotated[str | None, typer.Option("--input_exprs", metavar="'KEY=[[1.0]];…'", help="Inputs as literals.")]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", metavar="REL", help="Allowed difference; 0 for equal bits (1e-5 for float32)."),
]


def split(values: list[str] | None) -> tuple[str, ...]:
    """Values of an option that may be repeated and may hold commas."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def tags(value: str | None) -> tuple[str, ...] | None:
    """`serve,gpu` as a tag set; an empty string is the empty set, None leaves the choice to the reader."""
    return None if value is None else split([value])


def command_line() -> str:
    """What was typed, to be copied."""
    return shlex.join(["tfpare", *sys.argv[1:]])


def stdout() -> Console:
    """Where results go."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH)


def show(report: object, as_json: bool, *rendered: RenderableType) -> None:
    """Prints a result: the JSON of `report`, or what was rendered of it."""
    if as_json:
        from tfpare.to_json import to_json

        print(json.dumps(to_json(report), indent=2, allow_nan=False))
        return
    console = stdout()
    for one in rendered:
        console.print(one, crop=False)  # what does not fold, such as a command line, is to be copied


@contextmanager
def working(debug: bool = False, start: bool = True) -> Generator[Callable[[str], None], None, None]:
    """Shows the current step on stderr while work is done; on no terminal nothing.

    Meanwhile what libraries print goes to stderr, so that stdout holds the result alone.

    Args:
        debug: show no spinner, so that TensorFlow's log can be read.
        start: import TensorFlow first.
    """
    from rich.console import Console

    if debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")

    # A stream of its own: TensorFlow's import holds the process's stderr back for a while.
    with stdout_to_stderr(), os.fdopen(os.dup(2), "w") as stream:
        console = Console(file=stream)
        if not console.is_terminal or debug:
            _start(start, debug)
            yield lambda step: None
            return
        with console.status("starting TensorFlow") as status:
            _start(start, debug)
            yield lambda step: status.update(_PHASES.get(step, step.replace("_", " ")))


def load_op_libraries(paths: Iterable[Path]) -> None:
    """Loads libraries of custom ops here and in the processes that run models, and warns of them."""
    from tfpare.io.start import load_op_library

    for path in paths:
        print(f"tfpare: warning: {load_op_library(path)}", file=sys.stderr)


def _start(wanted: bool, debug: bool) -> None:
    from tfpare.io.start import start_tensorflow

    if wanted:
        start_tensorflow(quiet=not debug)


@contextmanager
def stdout_to_stderr() -> Generator[None, None, None]:
    """What libraries print goes to stderr, so that stdout holds the result alone."""
    sys.stdout.flush()
    saved, python = os.dup(1), sys.stdout
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = python
        os.dup2(saved, 1)
        os.close(saved)
