"""Object-based SavedModels as a Session sees them: one main graph that calls the signatures' functions.

TensorFlow Serving runs them this way, and only this way can they become one frozen graph.
"""

from __future__ import annotations

from typing import Any

from tfpare.io import v1, v2
from tfpare.io.checkpoint import Checkpoint
from tfpare.io.saved_model import SavedModelFiles
from tfpare.ir.graph import Graph, functions_of
from tfpare.ir.model import Model, Signature, Variable, variable_key
from tfpare.ir.ops import CALLS


def read_meta_graph(files: SavedModelFiles, meta_graph: Any, signatures: dict[str, Signature]) -> Model:
    """Reads an object-based MetaGraph as a Session-style one, without the public functions.

    Raises:
        UnsupportedModel: variables files are missing, or the object graph is damaged.
    """
    origin = v2.read_origin(files, meta_graph)
    # The initialiser creates tables and reads assets: what needs it cannot be frozen (the writer says so).
    for key in v1.INIT_COLLECTIONS:
        meta_graph.collection_def.pop(key, None)
    meta_graph.signature_def.pop("__saved_model_init_op", None)
    del meta_graph.asset_file_def[:]
    model = v1.read_meta_graph(files.path, "saved_model_v1", meta_graph, signatures, None)
    if origin.checkpoint is not None:
        model.variables = _variables(model.graphs[0], origin, origin.checkpoint)
    return model


def _variables(graph: Graph, origin: v2.V2Origin, checkpoint: Checkpoint) -> dict[str, Variable]:
    """By the handles that the calls of signature functions pass for the objects that these functions captured."""
    objects = origin.meta_graph.object_graph_def
    found: dict[str, Variable] = {}
    for call in [n for n in graph if n.op in CALLS]:
        for func in functions_of(call):
            captured = (
                list(objects.concrete_functions[func.name].bound_inputs)
                if func.name in objects.concrete_functions
                else []
            )
            for handle, object_id in zip(call.inputs[len(call.inputs) - len(captured) :], captured, strict=True):
                if handle.node.op == "VarHandleOp" and object_id in origin.checkpoint_keys:
                    key = variable_key(handle.node)
                    found[key] = v2.variable_of(
                        key, objects.nodes[object_id].variable, origin.checkpoint_keys[object_id], checkpoint
                    )
    return found
