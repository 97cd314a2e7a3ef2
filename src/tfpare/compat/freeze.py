"""`freeze_graph` under its old name and arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfpare.errors import UnsupportedModel, UsageError, nearest
from tfpare.io import graphdef, saved_model, start, v1, whole_graph, write_v1
from tfpare.io.checkpoint import Checkpoint
from tfpare.io.read import ReadOptions, read
from tfpare.ir.model import Model, variable_key
from tfpare.pipeline import freeze_model


def freeze_graph(
    input_graph: str | None,
    input_saver: str | None,
    input_binary: bool,
    input_checkpoint: str | None,
    output_node_names: str,
    restore_op_name: str | None,
    filename_tensor_name: str | None,
    output_graph: str | None,
    clear_devices: bool,
    initializer_nodes: str | None,
    variable_names_whitelist: str = "",
    variable_names_denylist: str = "",
    input_meta_graph: str | None = None,
    input_saved_model_dir: str | None = None,
    saved_model_tags: str = "serve",
    checkpoint_version: int = 2,
    *,
    variable_names_blacklist: str = "",
) -> Any:
    """Makes the variables that the outputs need constants, as `tensorflow.python.tools.freeze_graph` did.

    Args:
        input_graph: GraphDef file, read with `input_checkpoint`; binary or text, whatever `input_binary` says.
        input_saver: not needed, the checkpoint is read directly.
        input_binary: not needed, the form is recognised.
        input_checkpoint: prefix of the checkpoint.
        output_node_names: comma-separated nodes.
        restore_op_name: not needed.
        filename_tensor_name: not needed.
        output_graph: file to write, replaced if it exists; None for none.
        clear_devices: whether nodes lose their devices.
        initializer_nodes: must not be needed: a variable without a value in the checkpoint is an error.
        variable_names_whitelist: comma-separated names of the only variables to freeze.
        variable_names_denylist: comma-separated names of variables to leave.
        input_meta_graph: MetaGraphDef file to read instead of `input_graph`.
        input_saved_model_dir: SavedModel to read instead; `saved_model_tags` names its MetaGraph.
        saved_model_tags: comma-separated.
        checkpoint_version: not needed, the form is recognised.
        variable_names_blacklist: the denylist's older name.

    Returns:
        The frozen GraphDef, with what the outputs need.

    Raises:
        UsageError: a name that does not exist, or no model is given.
        UnsupportedModel: the model is damaged, or a variable has no stored value.
    """
    del input_saver, restore_op_name, filename_tensor_name, checkpoint_version, initializer_nodes, input_binary
    start.start_tensorflow()
    outputs = _names(output_node_names)
    if input_saved_model_dir:
        model = _of_saved_model(Path(input_saved_model_dir), tuple(_names(saved_model_tags)), outputs)
    else:
        model = _of_checkpoint(input_graph, input_meta_graph, input_checkpoint, outputs)
    denied = {*_names(variable_names_denylist), *_names(variable_names_blacklist)}
    left = _restrict(model, set(_names(variable_names_whitelist)), denied)
    freeze_model(model)
    _demand_frozen(model, left)
    graph_def = whole_graph.new_graph_def()
    write_v1.fill_graph_def(model, graph_def, share=False)
    if clear_devices:
        for nodes in (graph_def.node, *(f.node_def for f in graph_def.library.function)):
            for node_def in nodes:
                node_def.device = ""
    if output_graph:
        graphdef.write_graphdef(graph_def, Path(os.path.expanduser(output_graph)))
    return graph_def


def _names(text: str | Iterable[str] | None) -> list[str]:
    parts = text.split(",") if isinstance(text, str) else list(text or ())
    return [p.strip() for p in parts if p.strip()]


def _of_saved_model(path: Path, tags: tuple[str, ...], outputs: list[str]) -> Model:
    files = saved_model.parse(path)
    (meta_graph,) = saved_model.choose(files, tags)
    if meta_graph.object_graph_def.nodes:
        (model,) = read(path, ReadOptions(tags, frozen=True))
        missing = [o for o in outputs if graphdef.node_name(o) not in model.graphs[0].nodes]
        if missing:
            raise UsageError(f"The SavedModel has no node {missing[0]!r}.{nearest(missing[0], model.graphs[0].nodes)}")
        return model
    has_variables = files.variables_prefix.with_name("variables.index").is_file()
    return _of_meta_graph(path, meta_graph, Checkpoint(files.variables_prefix) if has_variables else None, outputs)


def _of_checkpoint(graph: str | None, meta: str | None, checkpoint: str | None, outputs: list[str]) -> Model:
    if not checkpoint or not (graph or meta):
        raise UsageError("freeze_graph needs input_saved_model_dir, or input_checkpoint with input_graph.")
    prefix = Path(os.path.expanduser(checkpoint))
    path = Path(os.path.expanduser(str(meta or graph)))
    meta_graph = graphdef.read_meta_graph(path) if meta else graphdef.as_meta_graph(path)
    return _of_meta_graph(path, meta_graph, Checkpoint(prefix), outputs)


def _of_meta_graph(path: Path, meta_graph: Any, checkpoint: Checkpoint | None, outputs: list[str]) -> Model:
    signature = whole_graph.bare_signature(meta_graph.graph_def, (), outputs)
    for key in v1.INIT_COLLECTIONS:
        meta_graph.collection_def.pop(key, None)
    del meta_graph.asset_file_def[:]
    return v1.read_meta_graph(path, "checkpoint", meta_graph, {signature.name: signature}, checkpoint)


def _restrict(model: Model, allowed: set[str], denied: set[str]) -> set[str]:
    """Takes the values of variables that are to stay; returns their keys."""
    left = {k for k in model.variables if k in denied or (allowed and k not in allowed)}
    for key in left:
        del model.variables[key]
    return left


def _demand_frozen(model: Model, left: set[str]) -> None:
    for node in model.graphs[0]:
        if node.op in ("VariableV2", "Variable", "VarHandleOp") and variable_key(node) not in left:
            why = next((n for n in model.notes if repr(node.name) in n), "")
            raise UnsupportedModel(f"Variable {node.name!r} cannot become a constant. {why}".strip())
