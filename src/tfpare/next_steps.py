"""The command lines that go on from `tfpare inspect`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_COMMON_TRANSFORMS = "strip_unused_nodes fold_constants fold_batch_norms"


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command line; `lines` are its parts, each an option with its value."""

    command: str
    lines: tuple[str, ...]


def of_model(path: Path) -> list[NextStep]:
    """For a SavedModel or a Keras file."""
    return [_step("tfpare optimize", _quoted(path), f"-o {_quoted(_beside(path, '_optimized'))}")]


def of_bare_graph(path: Path, form: str, inputs: Sequence[str], outputs: Sequence[str]) -> list[NextStep]:
    """For a GraphDef or checkpoint with its likely inputs and outputs; nothing where there is no answer to ask for."""
    if not outputs:
        return []
    given, asked = shlex.quote(",".join(inputs)), shlex.quote(",".join(outputs))
    named = [*([f"--input_names {given}"] if inputs else []), f"--output_names {asked}"]
    if form == "checkpoint":
        return [_step("tfpare optimize", _quoted(path), f"-o {_quoted(Path(f'{path}_optimized'))}", *named)]
    optimize = _step("tfpare optimize", _quoted(path), f"-o {_quoted(_beside(path, '_optimized.pb'))}", *named)
    files = [f"--in_graph {_quoted(path)}", f"--out_graph {_quoted(_beside(path, '_transformed.pb'))}"]
    names = [*([f"--inputs {given}"] if inputs else []), f"--outputs {asked}"]
    return [optimize, _step("tfpare transform", *files, *names, f"--transforms {shlex.quote(_COMMON_TRANSFORMS)}")]


def _step(*lines: str) -> NextStep:
    return NextStep(" ".join(lines), lines)


def _beside(path: Path, ending: str) -> Path:
    stem = path if path.is_dir() else path.with_suffix("")
    return stem.with_name(stem.name + ending) if stem.name else Path(f"model{ending}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
