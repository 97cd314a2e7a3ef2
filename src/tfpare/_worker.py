"""The child process that runs one model as stock TensorFlow would: `python -m tfpare._worker`.

It reads requests from its standard input and answers on its standard output (see `tfpare.framing`). Whatever kernels
print goes to standard error, so that it cannot be taken for an answer.
"""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from tfpare import framing
from tfpare.environment import SCRATCH
from tfpare.ir.types import Array

_MESSAGE_CHARS = 400  # TensorFlow appends graph dumps of many kilobytes to some errors


_NO_REWRITES = "--no-rewrites" in sys.argv


class Runnable(Protocol):
    """A loaded model."""

    def run(self, signature: str, feeds: dict[str, Array]) -> dict[str, Array]:
        """Answers of one signature."""
        ...


class FunctionModel:
    """An object-based SavedModel: its signatures are functions."""

    def __init__(self, spec: dict[str, Any]) -> None:
        import tensorflow as tf

        self.loaded = tf.saved_model.load(spec["path"], tags=spec["tags"])

    def run(self, signature: str, feeds: dict[str, Array]) -> dict[str, Array]:
        import tensorflow as tf

        function: Any = self.loaded.signatures[signature]
        dtypes = {k: s.dtype for k, s in function.structured_input_signature[1].items()}
        outputs = function(**{k: tf.constant(a, dtype=dtypes.get(k)) for k, a in feeds.items()})
        arrays: dict[str, Array] = {}
        for key, value in outputs.items():
            parts: list[Any] = tf.nest.flatten(value, expand_composites=True)
            for name, part in zip(framing.part_keys(key, len(parts)), parts, strict=True):
                arrays[name] = part.numpy()
        return arrays


class SessionModel:
    """A Session-style model: signatures name tensors of one graph."""

    def __init__(self, spec: dict[str, Any]) -> None:
        import tensorflow as tf

        load: Callable[[Any, dict[str, Any]], None] = _LOADERS[spec["form"]]
        self._signatures = spec["signatures"]
        error: Exception | None = None
        for repair in (False, True):
            self._graph = tf.Graph()
            config = tf.compat.v1.ConfigProto(allow_soft_placement=True)  # as TensorFlow Serving sets it
            config.graph_options.rewrite_options.disable_meta_optimizer = _NO_REWRITES
            self.session = tf.compat.v1.Session(graph=self._graph, config=config)
            try:
                with self._graph.as_default():
                    load(self.session, {**spec, "repair": repair})
                return
            except Exception as failure:
                if error is None and "_output_shapes" not in str(failure):
                    raise
                error = error or failure
        assert error is not None
        raise error

    def run(self, signature: str, feeds: dict[str, Array]) -> dict[str, Array]:
        return self.session.run(self.tensors(signature, "outputs"), self.feed_dict(signature, feeds))

    def feed_dict(self, signature: str, feeds: dict[str, Any]) -> dict[str, Any]:
        """Feeds by tensor."""
        return {t: feeds[name] for name, t in self.tensors(signature, "inputs").items() if name in feeds}

    def tensors(self, signature: str, kind: str) -> dict[str, str]:
        """The signature's `inputs` or `outputs`: tensor names by feed name."""
        found: dict[str, str] = {}
        for key, tensors in self._signatures[signature][kind].items():
            found.update(zip(framing.part_keys(key, len(tensors)), tensors, strict=True))
        return found


def _load_saved_model(session: Any, spec: dict[str, Any]) -> None:
    from tensorflow.python.saved_model import loader_impl

    loader: Any = loader_impl.SavedModelLoader(spec["path"])
    if spec["repair"]:
        _strip_output_shapes(loader.get_meta_graph_def_from_tags(spec["tags"]).graph_def)
    meta_graph = loader.load(session, spec["tags"])
    initialised = {"saved_model_main_op", "legacy_init_op"} & set(meta_graph.collection_def)
    if not initialised and "__saved_model_init_op" not in meta_graph.signature_def:
        _init_tables(session, meta_graph, Path(spec["path"]))


def _init_tables(session: Any, meta_graph: Any, path: Path) -> None:
    """Hub modules have no init op: whoever loads them runs the table initialisers with the asset files fed."""
    from tensorflow.core.protobuf import meta_graph_pb2

    if "table_initializer" not in meta_graph.collection_def:
        return
    feeds = {a.tensor_info.name: str(path / "assets" / a.filename) for a in meta_graph.asset_file_def}
    if "saved_model_assets" in meta_graph.collection_def:
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            feeds[asset.tensor_info.name] = str(path / "assets" / asset.filename)
    for name in meta_graph.collection_def["table_initializer"].node_list.value:
        session.run(session.graph.get_operation_by_name(name), feeds)


def _load_graphdef(session: Any, spec: dict[str, Any]) -> None:
    del session
    from tensorflow.python.framework import importer

    from tfpare.io import graphdef

    graph_def = graphdef.read_graphdef(Path(spec["path"]))
    if spec["repair"]:
        _strip_output_shapes(graph_def)
    importer.import_graph_def(graph_def, name="")


def _load_checkpoint(session: Any, spec: dict[str, Any]) -> None:
    """Imports only what the outputs and the restore op need: training graphs often do not import whole."""
    from tensorflow.core.protobuf import meta_graph_pb2
    from tensorflow.python.framework import importer

    from tfpare.io import graphdef

    prefix = spec["path"]
    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.ParseFromString(Path(f"{prefix}.meta").read_bytes())
    tensors = [t for s in spec["signatures"].values() for kind in ("inputs", "outputs") for t in s[kind].values()]
    wanted = [name for names in tensors for name in names]
    saver = meta_graph.saver_def
    if saver.restore_op_name:
        wanted += [saver.restore_op_name, saver.filename_tensor_name]
    tables = list(meta_graph.collection_def["table_initializer"].node_list.value)
    nodes = graphdef.reachable(meta_graph.graph_def.node, [*wanted, *tables])
    pruned = type(meta_graph.graph_def)(versions=meta_graph.graph_def.versions, library=meta_graph.graph_def.library)
    pruned.node.extend(nodes)
    for node in pruned.node:
        node.device = ""
    _strip_output_shapes(pruned)
    importer.import_graph_def(pruned, name="")
    if saver.restore_op_name:
        session.run(saver.restore_op_name, {saver.filename_tensor_name: prefix})
    else:
        _restore_by_name(session, prefix)
    for name in tables:
        session.run(session.graph.get_operation_by_name(name))


def _restore_by_name(session: Any, prefix: str) -> None:
    import tensorflow as tf
    from tensorflow.python.training import py_checkpoint_reader

    reader: Any = py_checkpoint_reader.NewCheckpointReader(prefix)
    shapes = reader.get_variable_to_shape_map()
    for op in session.graph.get_operations():
        if op.name in shapes and op.type in ("VariableV2", "Variable"):
            value = tf.constant(reader.get_tensor(op.name))
            session.run(tf.raw_ops.Assign(ref=op.outputs[0], value=value, validate_shape=False))
        elif op.name in shapes and op.type == "VarHandleOp":
            value = tf.constant(reader.get_tensor(op.name))
            session.run(tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=value))


def _strip_output_shapes(graph_def: Any) -> None:
    """Removes the shapes that the exporting TensorFlow noted; where they contradict today's, the import is refused."""
    for nodes in (graph_def.node, *(f.node_def for f in graph_def.library.function)):
        for node in nodes:
            node.attr.pop("_output_shapes", None)


_LOADERS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "saved_model_v1": _load_saved_model,
    "graphdef": _load_graphdef,
    "checkpoint": _load_checkpoint,
}


def load_model(spec: dict[str, Any]) -> Runnable:
    """Loads a model in the way of its form."""
    if spec["form"] != "saved_model_v2":
        return SessionModel(spec)
    try:
        return FunctionModel(spec)
    except Exception as error:
        if not spec["may_use_session"]:
            raise
        # Some SavedModels of Keras 2 hold an optimizer that today's loader cannot revive. Serving never tries.
        try:
            return SessionModel({**spec, "form": "saved_model_v1"})
        except Exception:
            raise error from None


def plain(value: Any) -> Array:
    """A fetched value as an array of a dtype that `framing` can send."""
    array = np.asarray(value)
    if array.dtype.kind in "SU":
        return array.astype(object)
    if array.dtype.names:  # quantized types are one-field records in TensorFlow's NumPy
        return array[array.dtype.names[0]]
    if array.dtype.kind == "O":
        return array
    return array


def _serve(read: Callable[[int], bytes], out: BinaryIO) -> None:
    spec: dict[str, Any] = {}
    model: Runnable | None = None
    while True:
        header, arrays = framing.receive(read)
        try:
            if header["do"] == "run":
                assert model is not None
                outputs = model.run(header["signature"], arrays)
                framing.send(out, {"ok": True}, {k: plain(v) for k, v in outputs.items()})
                continue
            spec = header.get("spec", spec)  # "reset" loads the same model once more, from its files
            model = None
            model = load_model(spec)
            framing.send(out, {"ok": True, "in_session": isinstance(model, SessionModel)})
        except Exception as error:
            framing.send(out, {"ok": False, "error": error_text(error)})


def error_text(error: Exception) -> str:
    """What went wrong, in one line."""
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # TensorFlow's graph-execution errors begin with traceback-like lines; what went wrong comes after them.
    useful = [line for line in lines if not line.startswith(("Graph execution error", "Detected at node", "File "))]
    return " ".join(useful or lines)[:_MESSAGE_CHARS]


def _reader(stream: BinaryIO) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    return read


Serve = Callable[[Callable[[int], bytes], BinaryIO], None]


def main() -> None:
    """Serves requests until the parent closes the pipe."""
    read, replies = take_pipes()
    gc.disable()  # its 10,000 modules and classes are here to stay: to look for garbage among them takes a fifth
    import tensorflow as tf  # while the parent still works

    gc.freeze()
    gc.enable()
    if _NO_REWRITES:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    for library in sys.argv[1:]:
        if library != "--no-rewrites":
            tf.load_op_library(library)
    serve_and_exit(_serve, read, replies)


def take_pipes() -> tuple[Callable[[int], bytes], BinaryIO]:
    """The pipes from and to the parent; what anybody else writes to standard output goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _no_core_files()
    return _reader(requests), replies


def serve_and_exit(serve: Serve, read: Callable[[int], bytes], replies: BinaryIO) -> None:
    """Serves until the parent closes the pipe, then ends the process."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        serve(read, replies)
    sys.stderr.flush()
    if scratch := os.environ.get(SCRATCH):  # the parent is gone, perhaps too suddenly to remove it
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)  # TensorFlow's own teardown takes its time and has nothing to say


def _no_core_files() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
