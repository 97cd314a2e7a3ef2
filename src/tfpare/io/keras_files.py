"""Keras files (`.keras`, `.h5`): exported to a SavedModel in a child process, with Keras' safe mode on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from tfpare.environment import child_environment
from tfpare.errors import UnsupportedModel
from tfpare.io.inspect_keras import DAMAGED, member

_TIMEOUT_S = 900
_CODE = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
model = keras.models.load_model(sys.argv[1], compile=False, safe_mode=True)
model.export(sys.argv[2], format="tf_saved_model", verbose=False)
"""


def export(path: Path, out: Path) -> None:
    """Loads a Keras file in a child process and exports it as SavedModel to `out`.

    Raises:
        UnsupportedModel: the file is damaged, holds code (a Lambda layer), or Keras cannot load it.
    """
    refuse_code(path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE, str(path.resolve()), str(out)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            env=child_environment(),
            cwd=out.parent,  # `-c` imports from the working directory: it must be one that nobody else writes
        )
    except subprocess.TimeoutExpired as error:
        raise UnsupportedModel(f"Keras did not load {path} within {_TIMEOUT_S} s.") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise UnsupportedModel(f"Keras cannot load {path}: {lines[-1] if lines else 'no reason given'}")


def refuse_code(path: Path) -> None:
    """Refuses files whose layers hold Python code; Keras itself does not look for that in `.h5`.

    Raises:
        UnsupportedModel: a Lambda layer, or the file cannot be read.
    """
    names = {n.rpartition(">")[2].strip("_").lower() for n in _class_names(model_config(path))}
    if "lambda" in names:
        raise UnsupportedModel(
            f"{path} has a Lambda layer: Python code that would run when it is loaded. Replace the layer, or export "
            "the model to a SavedModel yourself if you trust it."
        )


def model_config(path: Path) -> Any:
    """The layers' configuration, read without loading anything.

    Raises:
        UnsupportedModel: the file is damaged or holds weights only.
    """
    import zipfile

    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(member(archive, "config.json"))
        return _h5_config(path)
    except DAMAGED as error:
        raise UnsupportedModel(f"{path} cannot be read as a Keras file: {error}") from error


def _h5_config(path: Path) -> Any:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "r") as file:
        text = cast("Any", file.attrs).get("model_config")
        if text is None:
            raise UnsupportedModel(f"{path} holds weights only, no model. Save the whole model (model.save).")
        return json.loads(text)


def _class_names(config: Any) -> set[str]:
    found: set[str] = set()
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            mapping = cast("dict[str, Any]", item)
            found.add(str(mapping.get("class_name", "")))
            stack.extend(mapping.values())
        elif isinstance(item, list):
            stack.extend(cast("list[Any]", item))
    return found
