"""Netron, a viewer of model files, where it is installed. It only reads the file."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tfpare.environment import child_environment
from tfpare.errors import TfpareError, UnsupportedModel, UsageError
from tfpare.io.read import sniff

_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


def open_netron(model: Path) -> Path:
    """Shows a model in the browser until the viewer is ended with Ctrl-C; returns the file that was shown.

    Raises:
        UsageError: Netron is not installed.
        UnsupportedModel: no model.
    """
    file = model_file(model.expanduser()).absolute()
    if importlib.util.find_spec("netron") is None:
        raise UsageError(
            "Netron is not installed: pip install netron. Without it, `tfpare view MODEL --tensorboard DIR` writes the "
            "graph for TensorBoard, and `tfpare optimize MODEL -o OUT --report R.html` draws it before and after."
        )
    command = [sys.executable, "-m", "netron", "--browse", str(file)]
    with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:  # `-m` imports from the working directory, too
        try:
            done = subprocess.run(command, cwd=scratch, env=child_environment(), check=False)
        except KeyboardInterrupt:  # the usual end
            return file
    if done.returncode:
        raise TfpareError(f"Netron ended with code {done.returncode}.")
    return file


def model_file(model: Path) -> Path:
    """The one file of a model that a viewer reads.

    Raises:
        UnsupportedModel: no model.
    """
    form = sniff(model)
    if form == "checkpoint":
        return model if model.suffix == ".meta" else Path(f"{model}.meta")
    if form != "saved_model":
        return model
    for name in _MODEL_FILES:
        if (model / name).is_file():
            return model / name
    raise UnsupportedModel(f"{model} has no {_MODEL_FILES[0]}.")
