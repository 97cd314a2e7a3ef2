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
from tfpare.ir.model import VARIABLE_OPS, Model, Signature, TensorInfo, variable_key
from tfpare.ir.types import Array

# Collections that say how to initialise a model or belong to a hub module; the rest (variables, losses, summaries,
# control-flow contexts) describes the training graph.
_KEPT_COLLECTIONS = ("saved_model_assets", "saved_model_main_op", "legacy_init_op", "table_initializer")
_MAX_PROTO_BYTES = 2**31 - 1


def fill_graph_def(model: Model, graph_def: Any, share: bool = True) -> None:
    """Writes the main graph with its functions; outputs have the names that their signatures say.

    With `share`, a large constant that several functions hold becomes a function of its own, and is stored once.

    The graphs are taken apart: their weights would be in memory once more than needed while the proto is serialized.
    """
    graph = model.graphs[0]
    name_outputs(graph)
    graph_def.versions.CopyFrom(model.origin.meta_graph.graph_def.versions)
    if share:
        share_constants(model.all_graphs(), model.library)
    graphdef.write_nodes(graph, graph_def)
    write_library(model, graph_def, [name for n in graph for name in (n.op, *(f.name for f in functions_of(n)))])
    for written in list(model.all_graphs()):
        written.clear()


def write_library(model: Model, graph_def: Any, roots: list[str]) -> None:
    """Adds every function that `roots` reach."""
    library: Any = model.library
    done: set[str] = set()
    stack = list(roots)
    while stack:
        name = stack.pop()
        if name in done or (name not in library.graphs and name not in library.protos):
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


def fill_meta_graph(model: Model, meta_graph: Any, checkpoint: dict[str, Array], slices: dict[str, str]) -> None:
    """Writes the MetaGraph of a model; values of variables that remain are added to `checkpoint`."""
    origin: v1.V1Origin = model.origin
    source = origin.meta_graph
    meta_graph.meta_info_def.CopyFrom(source.meta_info_def)
    meta_graph.meta_info_def.ClearField("stripped_op_list")
    meta_graph.meta_info_def.stripped_default_attrs = True
    meta_graph.asset_file_def.extend(source.asset_file_def)
    for key, collection in source.collection_def.items():
        if key in _KEPT_COLLECTIONS or key.startswith("hub_"):
            meta_graph.collection_def[key].CopyFrom(collection)
    saved = _remaining(model, checkpoint, slices)
    fill_graph_def(model, meta_graph.graph_def)
    for name, signature in source.signature_def.items():
        if name.startswith("__saved_model"):
            meta_graph.signature_def[name].CopyFrom(signature)
    for name, signature in model.signatures.items():
        _write_signature(signature, source.signature_def, meta_graph.signature_def[name])
    if saved:
        saver.add_saver(meta_graph, saved)


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
        if node.op not in VARIABLE_OPS:
            continue
        variable = model.variables.get(variable_key(node))
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


def _demand_no_resources(model: Model) -> None:
    is_bare = model.form == "graphdef"
    for node in model.graphs[0]:
        if node.op in VARIABLE_OPS:
            why = " ".join(n for n in model.notes if "stays a variable" in n)
            raise UnsupportedModel(
                f"Variable {node.name!r} cannot be part of a frozen .pb ({why}). Write a SavedModel: -o DIR."
            )
        if "HashTable" in node.op and not is_bare:
            raise UnsupportedModel(
                f"The table {node.name!r} has to be initialised when the model is loaded, which a frozen .pb cannot "
                "ask for. Write a SavedModel: -o DIR."
            )


def write_frozen(model: Model, path: Path) -> None:
    """Writes a frozen GraphDef (text for `.pbtxt`).

    Raises:
        UnsupportedModel: a variable or table could not be made part of the graph, or it is larger than 2 GB.
    """
    from google.protobuf import text_format
    from tensorflow.core.framework import graph_pb2

    _demand_no_resources(model)
    graph_def = graph_pb2.GraphDef()
    fill_graph_def(model, graph_def)
    if path.suffix == ".pbtxt":
        path.write_text(text_format.MessageToString(graph_def))
    else:
        path.write_bytes(serialize(graph_def))
