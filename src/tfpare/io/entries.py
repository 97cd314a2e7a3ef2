"""Where a signature's inputs enter the graphs, and where its outputs leave them."""

from __future__ import annotations

from typing import Any

from tfpare.io import graphdef
from tfpare.ir.graph import Graph, Value
from tfpare.ir.model import Model, Signature


def input_values(model: Model, signature: Signature) -> dict[str, list[Value]]:
    """The graph values behind each input key (three for a sparse one); keys that are not found are left out."""
    if model.form == "saved_model_v2":
        return _arguments(model, signature)
    found: dict[str, list[Value]] = {}
    nodes = model.graphs[0].nodes
    for key, info in signature.inputs.items():
        ports = [graphdef.flat_port(t) for t in info.tensors]
        if all(name in nodes and port < len(nodes[name].dtypes) for name, port in ports):
            found[key] = [Value(nodes[name], port) for name, port in ports]
    return found


def output_values(model: Model, signature: Signature) -> list[Value]:
    """The graph values that a signature gives; those that are not found are left out."""
    if model.form == "saved_model_v2":
        graph = _graph(model, entry_graph(model, signature))
        return [] if graph is None else list(graph.outputs.values())
    outputs = model.graphs[0].outputs
    return [outputs[t] for info in signature.outputs.values() for t in info.tensors if t in outputs]


def entry_graph(model: Model, signature: Signature) -> str:
    """The name of the graph that computes a signature; empty where it is not known."""
    if model.form != "saved_model_v2":
        return model.graphs[0].name
    function = _function(model, signature)
    return "" if function is None else function.concrete_function_name


def _arguments(model: Model, signature: Signature) -> dict[str, list[Value]]:
    function = _function(model, signature)
    if function is None:
        return {}
    graph = _graph(model, function.concrete_function_name)
    keys: list[str] = list(function.argument_keywords)
    args = graph.args if graph is not None else []
    return {k: [a.out()] for k, a in zip(keys, args, strict=False) if k in signature.inputs}


def _function(model: Model, signature: Signature) -> Any:
    """The saved function behind a signature of an object-based model."""
    objects: Any = model.origin.meta_graph.object_graph_def.nodes
    for owner in objects:
        if owner.WhichOneof("kind") == "user_object" and owner.user_object.identifier == "signature_map":
            for child in owner.children:
                if child.local_name == signature.name:
                    return objects[child.node_id].bare_concrete_function
    return None


def _graph(model: Model, name: str) -> Graph | None:
    return next((g for g in model.graphs if g.name == name), None)
