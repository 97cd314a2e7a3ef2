"""Writing: into a temporary directory beside the target, then a rename, so that a half-written output never shows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tfpare.errors import UnsupportedModel, UsageError
from tfpare.io import checkpoint as checkpoint_io
from tfpare.io import saved_model, write_v1, write_v2
from tfpare.ir.model import Model
from tfpare.ir.types import Array

_FROZEN_SUFFIXES = (".pb", ".pbtxt")


def is_frozen_target(path: Path) -> bool:
    """Whether the path asks for a frozen GraphDef instead of a SavedModel directory."""
    return path.suffix in _FROZEN_SUFFIXES


def check_target(path: Path, overwrite: bool, sources: list[Path]) -> None:
    """Refuses targets that exist, lie in or above the input, or cannot be written.

    Raises:
        UsageError: with what to do.
    """
    try:
        _check_target(path, overwrite, sources)
    except (OSError, ValueError) as error:  # a name that is too long, a directory that may not be looked into
        raise UsageError(f"{path} cannot be the output: {error}. Choose another -o.") from error


def _check_target(path: Path, overwrite: bool, sources: list[Path]) -> None:
    if path.name in ("", ".."):
        raise UsageError(f"{path} cannot be the output: name the directory or file itself with -o.")
    target = path.resolve()
    for source in sources:
        if target == source.resolve() or target in source.resolve().parents or source.resolve() in target.parents:
            raise UsageError(f"The output {path} would overwrite the input {source}. Choose another -o.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already. Choose another -o, or replace it with --overwrite.")
    if path.exists() and path.is_dir() == is_frozen_target(path):
        raise UsageError(f"{path} is a {'directory' if path.is_dir() else 'file'}: not replaced. Choose another -o.")
    if path.is_dir() and any(path.iterdir()) and not saved_model.is_saved_model(path):
        raise UsageError(f"{path} holds other files than a SavedModel: not replaced. Empty it, or choose another -o.")
    parent = path.parent
    if not parent.is_dir():
        raise UsageError(f"The directory {parent} does not exist. Create it first.")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"The directory {parent} cannot be written. Choose another -o, or ask for its permission.")


@contextmanager
def staging(target: Path) -> Generator[Path, None, None]:
    """A private place beside the target; removed however the block ends."""
    try:
        place = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise UsageError(f"Cannot write beside {target}: {error.strerror}.") from error
    try:
        yield place
    except OSError as error:
        raise UnsupportedModel(
            f"Writing {target} failed: {error.strerror or error}. Nothing was left behind."
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_staged(models: list[Model], place: Path, target: Path) -> Path:
    """Writes the models into the staging place; returns the path that holds the finished output.

    The models are used up: their graphs are taken apart as they are written.

    Raises:
        UnsupportedModel: several MetaGraphs cannot become one frozen graph, or mixed kinds.
    """
    staged = place / target.name
    if is_frozen_target(target):
        if len(models) != 1:
            raise UnsupportedModel(
                "A frozen .pb holds one graph, the model has several. Choose one with --tag_set, or write a SavedModel."
            )
        write_v1.write_frozen(models[0], staged)
        return staged
    staged.mkdir()
    if models[0].form == "saved_model_v2":
        if len(models) > 1:
            raise UnsupportedModel("The SavedModel has several object-based MetaGraphs. Choose one with --tag_set.")
        write_v2.write(models[0], staged)
    else:
        _write_v1(models, staged)
    _carry(models[0], staged)
    return staged


def _write_v1(models: list[Model], out: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    tensors: dict[str, Array] = {}
    slices: dict[str, str] = {}
    for model in models:
        write_v1.fill_meta_graph(model, proto.meta_graphs.add(), tensors, slices)
    if tensors:
        (out / "variables").mkdir()
        checkpoint_io.write(out / "variables" / "variables", tensors, slices)
    (out / "saved_model.pb").write_bytes(write_v1.serialize(proto))


def _carry(model: Model, out: Path) -> None:
    if not model.path.is_dir():
        return
    for name in saved_model.CARRIED:
        if (model.path / name).is_dir():
            shutil.copytree(model.path / name, out / name)
    for file in model.path.glob("tfhub_module.pb"):
        shutil.copy2(file, out / file.name)


def publish(staged: Path, target: Path) -> None:
    """Moves the finished output to its place with a rename; an old target goes only after that."""
    os.chmod(staged, 0o755 if staged.is_dir() else 0o644)
    if not target.exists():
        os.rename(staged, target)
        return
    if staged.is_dir():
        old = staged.with_name(f"{target.name}.old")
        os.rename(target, old)
        try:
            os.rename(staged, target)
        except BaseException:  # also an interrupt: what is left in the staging place is removed
            os.rename(old, target)
            raise
    else:
        os.replace(staged, target)
