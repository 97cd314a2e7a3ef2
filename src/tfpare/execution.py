"""Running models in child processes: what a model does (hang, abort, eat memory) happens there, not here."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO

from tfpare import framing
from tfpare.environment import SCRATCH, child_environment
from tfpare.errors import TfpareError, UsageError, nearest
from tfpare.io.start import onednn_is_on, op_libraries
from tfpare.ir.model import Model, Signature
from tfpare.ir.types import Array

# What TensorFlow prints whatever happens: it would bury the line that tells why the process died.
_CHATTER = re.compile(r"^[IW]\d{4} |All log messages before absl|rebuild TensorFlow with the appropriate compiler")
_SHOWN_LINES = 6
_CHUNK = 1 << 20


class ModelCrashed(TfpareError):  # noqa: N818 - says what happened
    """The process that ran the model died or did not answer in time."""


class RunRefused(TfpareError):  # noqa: N818 - says what happened
    """TensorFlow raised an error for these inputs (or cannot load the model); the process lives on."""


class Runtime(Enum):
    """How a child's TensorFlow is set up."""

    STOCK = "stock"
    """As installed."""
    PLAIN = "plain"
    """Without rewrites of its own (Grappler, oneDNN), so that equal graphs give equal bits."""
    OTHER_KERNELS = "other kernels"
    """oneDNN off where it is on, and on where it is off: the same graph, rounded otherwise."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Flags for the child."""
        return ("--no-rewrites",) if self is Runtime.PLAIN else ()

    def environment(self) -> dict[str, str]:
        """oneDNN is chosen when TensorFlow is loaded, by a variable alone."""
        if self is Runtime.STOCK:
            return {}
        return {"TF_ENABLE_ONEDNN_OPTS": "0" if self is Runtime.PLAIN or onednn_is_on() is not False else "1"}


# TensorFlow copies a graph with all its constants about twenty times before the first call; glibc would ask the system
# for fresh pages each time.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}


class Worker:
    """A child process with TensorFlow imported, waiting for a model.

    The constructor returns at once. Close it (or leave it to the garbage collector) to end the process.

    Args:
        runtime: how its TensorFlow is set up.
        program: the module that the child runs.
        settings: environment variables for it.
    """

    def __init__(
        self,
        runtime: Runtime = Runtime.STOCK,
        program: str = "tfpare._worker",
        settings: Mapping[str, str] = MappingProxyType(_ALLOCATOR),
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="tfpare-"))
        self._lock = threading.RLock()
        self._log = self._scratch / "stderr"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, *runtime.arguments, *map(str, op_libraries())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._scratch,  # `-m` imports from the working directory: it must be one that nobody else writes
                env={**settings, **child_environment(), **runtime.environment(), SCRATCH: str(self._scratch)},
            )
        self._finalizer = weakref.finalize(self, _end, self._process, self._scratch)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def tell(self, header: framing.Header, arrays: Mapping[str, Array] | None = None) -> None:
        """Sends a request. Send large arrays only to a child that has answered the last request.

        Raises:
            ModelCrashed: the child is gone.
        """
        try:
            with self._lock:
                framing.send(_pipe(self._process.stdin), header, arrays)  # type: ignore[arg-type]
        except (BrokenPipeError, ValueError) as error:
            raise self._crash() from error

    def hear(self, timeout_s: float) -> framing.Message:
        """The child's next answer.

        Raises:
            ModelCrashed: it died, or `timeout_s` seconds have passed (then it is killed).
        """
        deadline = time.monotonic() + timeout_s
        try:
            with self._lock:
                return framing.receive(lambda size: self._read(size, deadline))
        except (EOFError, ValueError) as error:
            raise self._crash() from error
        except TimeoutError as error:
            self.close()
            raise ModelCrashed(f"did not answer within {timeout_s:.0f} s and was stopped.") from error

    def _read(self, size: int, deadline: float) -> bytes:
        fd = _pipe(self._process.stdout).fileno()
        data = bytearray()
        while len(data) < size:
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(fd, min(_CHUNK, size - len(data)))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _crash(self) -> ModelCrashed:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
        lines = self._log.read_text(errors="replace").splitlines() if self._log.is_file() else []
        shown = [line.strip()[:300] for line in lines if line.strip() and not _CHATTER.search(line)][-_SHOWN_LINES:]
        self.close()
        return ModelCrashed(f"{how}. Its last words: {' | '.join(shown) or 'none'}")

    def close(self) -> None:
        """Kills the child and removes its scratch directory; harmless when done twice, and from another thread."""
        self._finalizer()
        with self._lock:  # a thread that waits for the child meets the end of its pipe first
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    _pipe(stream).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes], scratch: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(scratch, ignore_errors=True)


class ModelRunner:
    """One model in a child process, loaded as stock TensorFlow loads it.

    The constructor returns at once; the child imports TensorFlow and loads the model meanwhile.

    Args:
        path: the model's files.
        form: `saved_model_v2` (runs signature functions), `saved_model_v1`, `graphdef` or `checkpoint` (run tensors in
            a Session, tables and variables initialised).
        tags: of the MetaGraph.
        signatures: by name; a bare graph's signature says which tensors its keys are.
        timeout_s: seconds for loading, and again for each run.
        worker: a waiting child to use, by default a new one.
        runtime: how a new child's TensorFlow is set up.
        may_use_session: run an object-based SavedModel in a Session, as TensorFlow Serving does, where
            `tf.saved_model.load` refuses it.

    Attributes:
        in_session: whether the model runs in a Session; known once it is loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        form: str,
        signatures: Mapping[str, Signature],
        tags: tuple[str, ...] = (),
        timeout_s: float = 600.0,
        worker: Worker | None = None,
        runtime: Runtime = Runtime.STOCK,
        may_use_session: bool = False,
    ) -> None:
        self.path, self.signatures, self._timeout_s = path, dict(signatures), timeout_s
        self._spec = {
            "path": os.path.abspath(path),
            "form": form,
            "tags": list(tags),
            "may_use_session": may_use_session,
            "signatures": {n: plain_signature(s) for n, s in signatures.items()},
        }
        self.in_session, self._closed = False, False
        self._runtime = runtime
        self._worker = worker or Worker(runtime)
        self._pending = True
        self._tell({"do": "load", "spec": self._spec}, "loading")

    @classmethod
    def of(cls, model: Model, *, timeout_s: float = 600.0, worker: Worker | None = None) -> ModelRunner:
        """A runner of a model that was read."""
        known, tags = model.signatures, model.tags
        return cls(model.path, form=model.form, signatures=known, tags=tags, timeout_s=timeout_s, worker=worker)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._worker.pid

    def wait_until_loaded(self) -> None:
        """Waits for the load that the constructor (or `reset`) began.

        Raises:
            RunRefused: TensorFlow cannot load the model.
            ModelCrashed: the child died or took too long.
        """
        if self._pending:
            self._pending = False
            header, _ = self._answer("loading")
            self.in_session = header["in_session"]

    def run(self, signature: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Answers of one signature.

        Args:
            signature: its name.
            feeds: arrays by input key (`key/indices`, `key/values`, `key/dense_shape` for a sparse input).

        Raises:
            UsageError: there is no such signature.
            RunRefused: TensorFlow refused the model or these inputs.
            ModelCrashed: the child died or took too long.
        """
        if signature not in self.signatures:
            raise UsageError(f"{self.path} has no signature {signature!r}.{nearest(signature, self.signatures)}")
        self.wait_until_loaded()
        self._tell({"do": "run", "signature": signature}, signature, feeds)
        return self._answer(signature)[1]

    def reset(self) -> None:
        """Loads the model again, so that variables and tables are as in its files; returns at once."""
        self.wait_until_loaded()
        self._pending = True
        self._tell({"do": "reset"}, "loading")

    def restart(self) -> None:
        """Starts over in a new process, after a crash.

        Raises:
            ModelCrashed: the runner was closed meanwhile.
        """
        if self._closed:
            raise ModelCrashed(f"The runner of {self.path} was closed.")
        self._worker.close()
        self._worker = Worker(self._runtime)
        self._pending = True
        self._tell({"do": "load", "spec": self._spec}, "loading")

    def _tell(self, header: framing.Header, doing: str, feeds: Mapping[str, Array] | None = None) -> None:
        try:
            self._worker.tell(header, feeds)
        except ModelCrashed as error:
            raise self._named(error, doing) from error

    def _answer(self, doing: str) -> framing.Message:
        try:
            header, arrays = self._worker.hear(self._timeout_s)
        except ModelCrashed as error:
            raise self._named(error, doing) from error
        if not header["ok"]:
            where = f"cannot load {self.path}" if doing == "loading" else f"refuses the inputs of {doing!r}"
            raise RunRefused(f"TensorFlow {where}: {header['error']}")
        return header, arrays

    def _named(self, error: ModelCrashed, doing: str) -> ModelCrashed:
        where = "was loaded" if doing == "loading" else f"ran signature {doing!r}"
        return ModelCrashed(f"The process in which {self.path} {where} {error}")

    def close(self) -> None:
        """Ends the child, whatever it is doing; also from another thread."""
        self._closed = True
        self._worker.close()

    def __enter__(self) -> ModelRunner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def plain_signature(signature: Signature) -> dict[str, dict[str, list[str]]]:
    """Tensor names by key, for a child."""
    return {
        "inputs": {k: list(i.tensors) for k, i in signature.inputs.items()},
        "outputs": {k: list(i.tensors) for k, i in signature.outputs.items()},
    }
