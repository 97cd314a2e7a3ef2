"""Writing Session-style models: MetaGraphs of a SavedModel, and frozen GraphDefs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import functions, graphdef, saver, v1
from tfpare.io.functions import called_functions
from tfpare.io.naming import name_outputs
from tfpare.io.shared_constants import share_constants
from tfpare.ir.graph import functions_of
from tfpare.ir.model import Model, Signature, TensorInfo
from tfpare.ir.types import Array

# Collections that say how to initialise a model or belong to a hub module; the rest (variables, losses, summaries,
# control-flow contexts) describes the training graph.
_KEPT_COLLECTIONS = ("saved_model_assets", "saved_model_main_op", "legacy_init_op", "table_initializer")
_MAX_PROTO_BYTES = 2**31 - 1


def graph_def_of(model: Model) -> Any:
    """The main graph with its functions as a GraphDef; outputs have the names that their signatures say."""
    from tensorflow.core.framework import graph_pb2

    graph = model.graphs[0]
    name_outputs(graph)
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.CopyFrom(model.origin.meta_graph.graph_def.versions)
    share_constants(model.all_graphs(), model.library)
    graphdef.write_nodes(graph, graph_def)
    write_library(model, graph_def, [f.name for n in graph for f in functions_of(n)])
    return graph_def


def write_library(model: Model, graph_def: Any, roots: list[str]) -> None:
    """Adds every function that `roots` reach."""
    library: Any = model.library
    done: set[str] = set()
    stack = list(roots)
    while stack:
        name = stack.pop()
        if name in done or name not in library:
            continue
        done.add(name)
        into = graph_def.library.function.add()
        if name in library.graphs:
            functions.write_function(library.graphs[name], library.protos.get(name), into)
        else:
            into.CopyFrom(library.protos[name])
            into.signature.name = name
        stack.extend(called_functions(into))
    graph_def.library.function.sort(key=_function_name)


def _function_name(function_def: Any) -> str:
    return function_def.signature.name


def meta_graph_of(model: Model, checkpoint: dict[str, Array], slices: dict[str, str]) -> Any:
    """The MetaGraph of a model; values of variables that remain are added to `checkpoint`."""
    from tensorflow.core.protobuf import meta_graph_pb2

    origin: v1.V1Origin = model.origin
    source, meta_graph = origin.meta_graph, meta_graph_pb2.MetaGraphDef()
    meta_graph.meta_info_def.CopyFrom(source.meta_info_def)
    meta_graph.meta_info_def.ClearField("stripped_op_list")
    meta_graph.meta_info_def.stripped_default_attrs = True
    meta_graph.asset_file_def.extend(source.asset_file_def)
    for key, collection in source.collection_def.items():
        if key in _KEPT_COLLECTIONS or key.startswith("hub_"):
            meta_graph.collection_def[key].CopyFrom(collection)
    meta_graph.graph_def.CopyFrom(graph_def_of(model))
    for name, signature in source.signature_def.items():
        if name.startswith("__saved_model"):
            meta_graph.signature_def[name].CopyFrom(signature)
    for name, signature in model.signatures.items():
        _write_signature(signature, source.signature_def, meta_graph.signature_def[name])
    saved = _remaining(model, checkpoint, slices)
    if saved:
        saver.add_saver(meta_graph, saved)
    return meta_graph


def _write_signature(signature: Signature, originals: Any, into: Any) -> None:
    if signature.name in originals:
        into.CopyFrom(originals[signature.name])
        for key in set(into.inputs) - set(signature.inputs):
            del into.inputs[key]
        return
    into.method_name = signature.method
    for infos, target in ((signature.inputs, into.inputs), (signature.outputs, into.outputs)):
        for key, info in infos.items():
            _write_info(info, target[key])


def _write_info(info: TensorInfo, into: Any) -> None:
    into.name = info.tensors[0]
    into.dtype = attr_io.dtype_to_enum(info.dtype.base)
    into.tensor_shape.CopyFrom(attr_io.shape_to_proto(info.shape))


def _remaining(model: Model, checkpoint: dict[str, Array], slices: dict[str, str]) -> list[saver.Saved]:
    saved: list[saver.Saved] = []
    for node in model.graphs[0]:
        if node.op not in v1.VARIABLE_OPS:
            continue
        variable = model.variables.get(v1.variable_key(node))
        if variable is None:
            continue
        name = f"{variable.checkpoint_key}@{variable.slice_spec}"
        checkpoint[name], slices[name] = variable.load(), variable.slice_spec
        enum = attr_io.dtype_to_enum(variable.dtype.base)
        is_resource = node.op == "VarHandleOp"
        saved.append(saver.Saved(node.name, enum, variable.checkpoint_key, variable.slice_spec, is_resource))
    return saved


def serialize(proto: Any) -> bytes:
    """The proto's bytes.

    Raises:
        UnsupportedModel: they would be more than the 2 GB that a proto can hold.
    """
    from google.protobuf.message import EncodeError

    try:
        if proto.ByteSize() <= _MAX_PROTO_BYTES:
            return proto.SerializeToString(deterministic=True)
    except EncodeError:
        pass
    raise UnsupportedModel(
        "The graph with its constants is larger than the 2 GB that a file can hold. Let more variables stay variables "
        "with a smaller --freeze-limit, such as 1GB, and write a SavedModel (-o DIR)."
    )


def write_frozen(model: Model, path: Path) -> None:
    """Writes a frozen GraphDef (text for `.pbtxt`).

    Raises:
        UnsupportedModel: a variable or table could not be made part of the graph, or it is larger than 2 GB.
    """
    from google.protobuf import text_format

    for node in model.graphs[0]:
        if node.op in v1.VARIABLE_OPS:
            raise UnsupportedModel(
                f"Variable {node.name!r} stays a variable, which a frozen .pb cannot hold. Write a SavedModel: -o DIR."
            )
    graph_def = graph_def_of(model)
    if path.suffix == ".pbtxt":
        path.write_text(text_format.MessageToString(graph_def))
    else:
        path.write_bytes(serialize(graph_def))
