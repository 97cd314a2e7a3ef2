"""GraphDefs as they are, needed or not: what transforms start from and hand back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfpare.errors import InvariantError, UnsupportedModel, UsageError, nearest
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.io.op_registry import op_def
from tfpare.ir.model import Signature, TensorInfo
from tfpare.ir.types import UNKNOWN, dtype

SIGNATURE = "serving_default"


def bare_meta_graph(graph_def: Any, inputs: Iterable[str], outputs: Iterable[str]) -> tuple[Any, Signature]:
    """A copy of a GraphDef in a MetaGraph, and the signature that names its inputs and outputs.

    Outputs that only run (`init_all_tables`) become the MetaGraph's initialisers.

    Raises:
        UsageError: a name that the graph does not have; the nearest is suggested.
        UnsupportedModel: two nodes have one name, or an input of a node is missing.
    """
    from tensorflow.core.protobuf import meta_graph_pb2

    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.graph_def.CopyFrom(graph_def)
    meta_graph.meta_info_def.tags.append("serve")
    try:
        check_edges(graph_def, ())
    except InvariantError as error:
        raise UnsupportedModel(f"The graph is damaged: {error}") from error
    wanted = list(outputs)
    targets = _without_value(graph_def, wanted)
    if targets:
        meta_graph.collection_def["saved_model_main_op"].node_list.value.extend(sorted(targets))
    fetched = [o for o in wanted if graphdef.node_name(o.strip()) not in targets]
    return meta_graph, bare_signature(graph_def, inputs, fetched)


def _without_value(graph_def: Any, names: Iterable[str]) -> set[str]:
    """Those of the nodes that give no value: somebody runs them for their effect."""
    wanted = {graphdef.node_name(n.strip()) for n in names}
    found: set[str] = set()
    for node_def in graph_def.node:
        definition = op_def(node_def.op) if node_def.name in wanted else None
        if definition is not None and not definition.output_arg:
            found.add(node_def.name)
    return found


def bare_signature(graph_def: Any, inputs: Iterable[str], outputs: Iterable[str]) -> Signature:
    """The signature that names nodes or tensors of a bare graph.

    Raises:
        UsageError: a name that the graph does not have; the nearest is suggested.
    """
    known = {n.name for n in graph_def.node}
    sides = [_infos(names, known, what) for names, what in ((inputs, "input"), (outputs, "output"))]
    return Signature(SIGNATURE, sides[0], sides[1])


def _infos(names: Iterable[str], known: set[str], what: str) -> dict[str, TensorInfo]:
    found: dict[str, TensorInfo] = {}
    for name in names:
        try:
            node, port = graphdef.flat_port(name.strip().removeprefix("^"))
        except UnsupportedModel as error:
            raise UsageError(f"{error} Write NODE or NODE:0.") from error
        if node not in known:
            raise UsageError(f"The graph has no node {node!r}, which is named as {what}.{nearest(node, known)}")
        found[f"{node}:{port}"] = TensorInfo((f"{node}:{port}",), dtype("variant"), UNKNOWN)
    return found


def check_edges(graph_def: Any, required: Iterable[str]) -> None:
    """Proves that names are unique, inputs exist, data come before control edges, and the `required` nodes exist.

    Raises:
        InvariantError: naming the node.
    """
    known: set[str] = set()
    for node_def in graph_def.node:
        if node_def.name in known:
            raise InvariantError(f"two nodes have the name {node_def.name!r}")
        known.add(node_def.name)
    for node_def in graph_def.node:
        is_control = False
        for ref in node_def.input:
            if graphdef.node_name(ref) not in known:
                raise InvariantError(f"node {node_def.name!r} reads {ref!r}, which is not in the graph")
            if is_control and not ref.startswith("^"):
                raise InvariantError(f"node {node_def.name!r} lists {ref!r} after a control input")
            is_control = is_control or ref.startswith("^")
    for name in required:
        if name not in known:
            raise InvariantError(f"node {name!r}, which callers use, is gone")


def add_defaults(graph_def: Any) -> list[str]:
    """Writes out every attribute that a node leaves to its op's (or function's) default.

    Returns:
        Ops that are neither registered nor functions of the graph; their nodes stay as they are.
    """
    functions = {f.signature.name: f.signature for f in graph_def.library.function}
    unknown: set[str] = set()
    for nodes in (graph_def.node, *(f.node_def for f in graph_def.library.function)):
        for node_def in nodes:
            definition = functions.get(node_def.op) or op_def(node_def.op)
            if definition is None:
                unknown.add(node_def.op)
                continue
            for attr in definition.attr:
                if attr.HasField("default_value") and attr.name not in node_def.attr:
                    node_def.attr[attr.name].CopyFrom(attr.default_value)
    return sorted(unknown)


def restore_gradients(library: Any, gradients: Iterable[Any]) -> None:
    """Puts back the gradient functions whose functions are still there."""
    known = {f.signature.name for f in library.function}
    library.gradient.extend(g for g in gradients if {g.function_name, g.gradient_func} <= known)


def new_graph_def() -> Any:
    """An empty GraphDef."""
    from tensorflow.core.framework import graph_pb2

    return graph_pb2.GraphDef()


def shape_attr(shape: Any, into: Any) -> None:
    """Writes a `Shape` as an attribute."""
    attr_io.encode(shape, into)
