"""Reading a model in whatever form it comes: the form is recognised from the files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfpare.errors import TfpareError, UnsupportedModel, UsageError
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef, saved_model, v1, v2, v2_session
from tfpare.io.checkpoint import Checkpoint
from tfpare.io.guess import guess_inputs, guess_outputs
from tfpare.io.node_checks import check_node
from tfpare.io.validate import check_model
from tfpare.ir.model import VARIABLE_OPS, Model, Signature, TensorInfo


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a model.

    Attributes:
        tags: the MetaGraph to read; by default all that are not for training.
        signatures: names of the signatures to keep, all by default.
        input_names, output_names: tensors of a bare graph, guessed when left out.
        frozen: the model is to become one frozen graph, so that only its signatures matter.
    """

    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    frozen: bool = False


def sniff(path: Path) -> str:
    """The form of a model: `saved_model`, `graphdef`, `checkpoint`, `keras`.

    Raises:
        UnsupportedModel: nothing that tfpare reads.
    """
    try:
        return _sniff(path)
    except (OSError, ValueError) as error:
        raise UnsupportedModel(f"{path} cannot be read: {error}.") from error


def _sniff(path: Path) -> str:
    if path.is_dir():
        if saved_model.is_saved_model(path):
            return "saved_model"
        raise UnsupportedModel(f"{path} is a directory without saved_model.pb: no SavedModel.")
    if Path(f"{path}.meta").is_file():
        return "checkpoint"
    if not path.exists():
        raise UnsupportedModel(f"{path} does not exist, and there is no {path.name}.meta. Check the path.")
    if path.suffix == ".meta":
        return "checkpoint"
    if path.suffix in (".keras", ".h5", ".hdf5"):
        return "keras"
    return "graphdef"


def read(path: str | os.PathLike[str], options: ReadOptions | None = None) -> list[Model]:
    """Reads a model; a SavedModel with several MetaGraphs gives one Model each.

    Raises:
        UnsupportedModel: no model, damaged, or of an unsupported kind.
        UsageError: a tag set, signature or tensor name that the model does not have.
    """
    path, options = Path(os.path.expanduser(path)), options or ReadOptions()
    form = sniff(path)
    try:
        models = _read(path, form, options)
        for model in models:
            check_model(model)
    except TfpareError:
        raise
    except OSError as error:
        raise UnsupportedModel(f"{path} cannot be read: {error}") from error
    except Exception as error:  # what no check foresaw: protos can be inconsistent in more ways than anyone lists
        what = f"{type(error).__name__}: {error}"
        raise UnsupportedModel(
            f"{path} cannot be read ({what}). It seems to be damaged; if TensorFlow loads it, please report this with "
            "the traceback that --debug shows."
        ) from error
    return models


def _read(path: Path, form: str, options: ReadOptions) -> list[Model]:
    if form == "saved_model":
        return _saved_model(path, options)
    if form == "checkpoint":
        return [_checkpoint(path, options)]
    if form == "graphdef":
        return [_graphdef(path, options)]
    raise UnsupportedModel(f"{path} is a Keras file: it has to be exported first (tfpare.optimize does that).")


def _saved_model(path: Path, options: ReadOptions) -> list[Model]:
    files = saved_model.parse(path)
    models: list[Model] = []
    for meta_graph in saved_model.choose(files, options.tags):
        known = saved_model.signatures(meta_graph)
        chosen = saved_model.pick_signatures(known, list(options.signatures))
        if meta_graph.HasField("object_graph_def") and meta_graph.object_graph_def.nodes:
            reader = v2_session if options.frozen else v2
            models.append(reader.read_meta_graph(files, meta_graph, chosen))
            continue
        saved_model.asset_paths(files, meta_graph)
        has_variables = files.variables_prefix.with_name("variables.index").is_file()
        checkpoint = Checkpoint(files.variables_prefix) if has_variables else None
        model = v1.read_meta_graph(path, "saved_model_v1", meta_graph, chosen, checkpoint)
        _demand_variables(model, path)
        models.append(model)
    return models


def _demand_variables(model: Model, path: Path) -> None:
    if model.variables or model.origin.checkpoint is not None:
        return
    for graph in model.graphs:
        for node in graph:
            if node.op in VARIABLE_OPS:
                raise UnsupportedModel(f"{path} has variables ({node.name!r}) but no variables/variables.index.")


def _graphdef(path: Path, options: ReadOptions) -> Model:
    return _from_bare(path, "graphdef", graphdef.as_meta_graph(path), options, None)


def _checkpoint(path: Path, options: ReadOptions) -> Model:
    prefix = path.with_suffix("") if path.suffix == ".meta" else path
    meta_graph = graphdef.read_meta_graph(Path(f"{prefix}.meta"))
    return _from_bare(prefix, "checkpoint", meta_graph, options, Checkpoint(prefix))


def _from_bare(path: Path, form: str, meta_graph: Any, options: ReadOptions, checkpoint: Checkpoint | None) -> Model:
    graph_def = meta_graph.graph_def
    outputs = [_tensor(graph_def, n) for n in options.output_names or guess_outputs(graph_def)]
    inputs = [_tensor(graph_def, n) for n in options.input_names or guess_inputs(graph_def, outputs)]
    signature = Signature("serving_default", _infos(graph_def, inputs), _infos(graph_def, outputs))
    meta_graph.signature_def.clear()
    meta_graph.meta_info_def.tags.append("serve")
    model = v1.read_meta_graph(path, form, meta_graph, {"serving_default": signature}, checkpoint)
    for kind, given, used in (
        ("inputs", options.input_names, inputs),
        ("outputs", options.output_names, outputs),
    ):
        if not given:
            model.notes.append(f"{kind} were guessed: {', '.join(used) or 'none'}")
    return model


def _tensor(graph_def: Any, name: str) -> str:
    from tfpare.errors import nearest

    try:
        node, port = graphdef.flat_port(name.strip())
    except UnsupportedModel as error:
        raise UsageError(f"{error} Write NODE or NODE:0.") from error
    known = {n.name for n in graph_def.node}
    if node not in known:
        raise UsageError(f"The graph has no node {node!r}.{nearest(node, known)}")
    return f"{node}:{port}"


def _infos(graph_def: Any, tensors: list[str]) -> dict[str, TensorInfo]:
    by_name = {n.name: n for n in graph_def.node}
    infos: dict[str, TensorInfo] = {}
    for tensor in tensors:
        node, port = graphdef.flat_port(tensor)
        key = node if f"{node}" not in infos else f"{node}_{port}"
        infos[key] = _info(by_name[node], tensor, port)
    return infos


def _info(node_def: Any, tensor: str, port: int) -> TensorInfo:
    from tfpare.io.op_registry import op_spec

    spec = op_spec(node_def.op)
    if spec is None:
        raise graphdef.unknown_op(node_def.op, node_def.name)
    check_node(node_def, spec)
    attrs = {k: attr_io.decode(v) for k, v in node_def.attr.items() if k != "value"}
    dtypes = spec.output_dtypes(attrs)
    if port >= len(dtypes):
        raise UsageError(f"{tensor!r}: node {node_def.name!r} has only {len(dtypes)} outputs.")
    shape = attrs.get("shape")
    from tfpare.ir.types import UNKNOWN, Shape

    known = isinstance(shape, Shape) and node_def.op.startswith("Placeholder") and shape.dims != ()
    return TensorInfo((tensor,), dtypes[port], shape if known and isinstance(shape, Shape) else UNKNOWN)
