"""Importing TensorFlow for the command line: without its start-up chatter, with advice where it is missing."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tfpare.errors import UsageError

_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES = -3, 128 * 1024


def give_back_large_blocks() -> None:
    """Lets glibc return every large array to the system when it is freed.

    It would raise its threshold for that with the first one that is freed, and keep the weights' memory for later.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
    except (AttributeError, OSError, TypeError):  # another C library: memory use is higher, nothing else
        return


def start_tensorflow(quiet: bool = True) -> None:
    """Imports TensorFlow.

    It writes to the process's stderr before any log level applies; `quiet` holds that back, and shows it if it fails.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    give_back_large_blocks()
    if quiet:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _stderr_held_back(quiet), _collector_paused():
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR" if quiet else "INFO")
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise UsageError("TensorFlow is not installed. For CPUs: pip install 'tfpare[cpu]'.") from error


@contextmanager
def _collector_paused() -> Generator[None, None, None]:
    """What is imported stays: to look for garbage among it again and again takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _stderr_held_back(enabled: bool) -> Generator[None, None, None]:
    if not enabled:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def onednn_is_on() -> bool | None:
    """Whether this TensorFlow runs oneDNN's kernels; None where it does not say.

    Without TF_ENABLE_ONEDNN_OPTS that depends on the CPU: it is off on those without AVX512-VNNI, AVX512-BF16 or AMX.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port

        return bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):  # not a public interface: it may go
        return None


_OP_LIBRARIES: list[Path] = []


def op_libraries() -> tuple[Path, ...]:
    """The libraries that this process has loaded, for its children to load: TensorFlow's registry is global, too."""
    return tuple(_OP_LIBRARIES)


def load_op_library(path: Path) -> str:
    """Loads a library of custom ops into this process and its later children; returns the warning to show.

    Raises:
        UsageError: it cannot be loaded.
    """
    import tensorflow as tf

    if not path.is_file():
        raise UsageError(f"--op_library: {path} does not exist.")
    try:
        tf.load_op_library(str(path))
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise UsageError(f"--op_library: {path} cannot be loaded: {first}") from error
    _OP_LIBRARIES.append(path.resolve())
    return f"{path} is native code and now runs with your rights; only load libraries that you trust"
