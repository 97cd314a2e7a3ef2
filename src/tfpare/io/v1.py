"""Session-style models: SavedModels of TF 1, hub modules, checkpoints with a meta graph, and bare GraphDefs.

One main graph holds everything; signatures name its tensors. Variables are found by who restores them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.io.checkpoint import Checkpoint, parse_slice
from tfpare.io.functions import Library
from tfpare.io.node_checks import check_node
from tfpare.io.validate import check_functions
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import VARIABLE_OPS, Model, Signature, Variable, variable_key
from tfpare.ir.types import UNKNOWN, Shape, dtype, dtype_of

INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")


@dataclass(slots=True)
class V1Origin:
    """What the writer needs of the MetaGraph that was read."""

    meta_graph: Any
    init_nodes: list[str]
    asset_nodes: list[str] = field(default_factory=list[str])
    checkpoint: Checkpoint | None = None


def read_meta_graph(
    path: Path,
    form: str,
    meta_graph: Any,
    signatures: dict[str, Signature],
    checkpoint: Checkpoint | None,
    *,
    only_needed: bool = True,
) -> Model:
    """Reads a Session-style MetaGraph: what its signatures and initialisers need, or all of it.

    Then those that nobody reads are kept like effects, and unknown ops have the types that their readers expect.
    """
    graph_def, kept = meta_graph.graph_def, _without_nodes(meta_graph)
    library = Library(kept.graph_def.library.function)
    check_functions(library.protos)
    graph = Graph("main", library.registry)
    graph.producer = graph_def.versions.producer
    init = _init_nodes(meta_graph)
    assets = list(_asset_nodes(meta_graph))
    fed = {t for s in signatures.values() for info in s.inputs.values() for t in info.tensors}
    fetched = {t: t for s in signatures.values() for info in s.outputs.values() for t in info.tensors}
    if only_needed:
        placeholders = _feed_only(graph_def.node, signatures, [*init, *assets])
        wanted = [*fetched, *fed, *init, *assets]
        graphdef.read_nodes(graph, _cut(graphdef.reachable(graph_def.node, wanted, placeholders), placeholders))
    else:
        library.hide_unreadable()
        graphdef.read_nodes(graph, graph_def.node, unknown_ops=True)
    for tensor in fetched:
        graph.outputs[tensor] = _value(graph, tensor)
    for tensor in sorted(fed):
        _mark_fed(graph, _value(graph, tensor), signatures)
    if not only_needed:
        outputs = graph.output_nodes()
        graph.keep.update((n, None) for n in graph if not n.readers and n not in outputs)
    graph.pinned = _ancestors(graph, [*init, *assets])
    variables = _variables(graph, meta_graph, checkpoint)
    origin = V1Origin(kept, init, assets, checkpoint)
    return Model(path, form, [graph], library, variables, signatures, tuple(meta_graph.meta_info_def.tags), origin)


def _without_nodes(meta_graph: Any) -> Any:
    """A copy of what the writer needs; the nodes, with all constants, are in the graph and need not stay twice."""
    from tensorflow.core.protobuf import meta_graph_pb2

    kept = meta_graph_pb2.MetaGraphDef()
    for part in ("meta_info_def", "saver_def"):
        getattr(kept, part).CopyFrom(getattr(meta_graph, part))
    for part in ("collection_def", "signature_def"):
        for key, value in getattr(meta_graph, part).items():
            getattr(kept, part)[key].CopyFrom(value)
    kept.asset_file_def.extend(meta_graph.asset_file_def)
    kept.graph_def.versions.CopyFrom(meta_graph.graph_def.versions)
    kept.graph_def.library.CopyFrom(meta_graph.graph_def.library)
    return kept


def _value(graph: Graph, tensor: str) -> Value:
    name, port = graphdef.flat_port(tensor)
    node = graph.nodes.get(name)
    if node is not None and node.spec is None and port >= len(node.dtypes):  # of an unknown op, and nobody reads it
        node.dtypes += (dtype("variant"),) * (port + 1 - len(node.dtypes))
        node.shapes = (UNKNOWN,) * len(node.dtypes)
    if node is None or port >= len(node.dtypes):
        raise UnsupportedModel(f"A signature names the tensor {tensor!r}, which the graph does not have.")
    return Value(node, port)


def _mark_fed(graph: Graph, value: Value, signatures: dict[str, Signature]) -> None:
    graph.fed.add(value)
    for signature in signatures.values():
        for info in signature.inputs.values():
            if str(value) in {t.removesuffix(":0") for t in info.tensors} and not info.is_composite:
                shapes = list(value.node.shapes)
                if value.node.op.startswith("Placeholder") and shapes[value.index].is_compatible(info.shape):
                    shapes[value.index] = info.shape
                value.node.shapes = tuple(shapes)


def _feed_only(node_defs: Iterable[Any], signatures: dict[str, Signature], init: list[str]) -> set[str]:
    """Nodes that every signature which meets them feeds: what lies behind them is not needed.

    Found per signature by walking from its outputs and stopping at its own inputs.
    """
    by_name = {n.name: n for n in node_defs}
    needed: set[str] = set()
    fed_nodes: set[str] = set()
    for signature in signatures.values():
        fed = {_canonical(t) for info in signature.inputs.values() for t in info.tensors}
        fed_nodes |= {t[0] for t in fed}
        stack = [_canonical(t) for info in signature.outputs.values() for t in info.tensors]
        needed |= _walk(by_name, stack, fed)
    needed |= _walk(by_name, [_canonical(i) for i in init], set())
    multi = {graphdef.node_name(t) for s in signatures.values() for i in s.inputs.values() for t in i.tensors
             if graphdef.flat_port(t)[1] > 0}  # fmt: skip
    defaults = {n for n in fed_nodes if n in by_name and by_name[n].op == "PlaceholderWithDefault"}
    return {n for n in fed_nodes if n not in needed and n not in multi and n not in defaults}


def _canonical(tensor: str) -> tuple[str, int]:
    return graphdef.flat_port(tensor.removeprefix("^"))


def _walk(by_name: dict[str, Any], stack: list[tuple[str, int]], stop: set[tuple[str, int]]) -> set[str]:
    seen: set[str] = set()
    while stack:
        tensor = stack.pop()
        if tensor in stop or tensor[0] in seen or tensor[0] not in by_name:
            continue
        seen.add(tensor[0])
        stack.extend(_canonical(i) for i in by_name[tensor[0]].input)
    return seen


def _cut(node_defs: list[Any], placeholders: set[str]) -> list[Any]:
    """Turns nodes that are only ever fed into Placeholders."""
    kept: list[Any] = []
    for node_def in node_defs:
        if node_def.name in placeholders and node_def.op not in ("Placeholder", "PlaceholderV2"):
            node_def = _placeholder(node_def)
        kept.append(node_def)
    return kept


def _placeholder(node_def: Any) -> Any:
    from tensorflow.core.framework import node_def_pb2

    from tfpare.io.op_registry import op_spec

    spec = op_spec(node_def.op)
    if spec is None or not spec.outputs:
        raise UnsupportedModel(f"A signature feeds {node_def.name!r}, whose op {node_def.op!r} gives no known output.")
    check_node(node_def, spec)
    attrs = {k: attr_io.decode(v) for k, v in node_def.attr.items()}
    new = node_def_pb2.NodeDef(name=node_def.name, op="Placeholder")
    attr_io.encode(spec.output_dtypes(attrs)[0], new.attr["dtype"])
    attr_io.encode(UNKNOWN, new.attr["shape"])
    return new


def _init_nodes(meta_graph: Any) -> list[str]:
    names: list[str] = []
    for key in INIT_COLLECTIONS:
        if key in meta_graph.collection_def:
            names.extend(graphdef.node_name(v) for v in meta_graph.collection_def[key].node_list.value)
    for key in ("__saved_model_init_op",):
        if key in meta_graph.signature_def:
            names.extend(graphdef.node_name(o.name) for o in meta_graph.signature_def[key].outputs.values())
    return list(dict.fromkeys(names))


def initialiser_names(meta_graph: Any) -> list[str]:
    """Nodes that run, or hold the names of files, before the first call."""
    return [*_init_nodes(meta_graph), *_asset_nodes(meta_graph)]


def _asset_nodes(meta_graph: Any) -> list[str]:
    from tensorflow.core.protobuf import meta_graph_pb2

    names = [a.tensor_info.name for a in meta_graph.asset_file_def]
    if "saved_model_assets" in meta_graph.collection_def:
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            names.append(asset.tensor_info.name)
    return [graphdef.node_name(n) for n in dict.fromkeys(names)]


def _ancestors(graph: Graph, names: list[str]) -> set[Node]:
    seen: set[Node] = set()
    stack = [graph.nodes[n] for n in names]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(v.node for v in node.inputs)
            stack.extend(node.controls)
    return seen


def _variables(graph: Graph, meta_graph: Any, checkpoint: Checkpoint | None) -> dict[str, Variable]:
    nodes = [n for n in graph if n.op in VARIABLE_OPS]
    if not nodes or checkpoint is None:
        return {}
    restored = {**_declared_slices(meta_graph), **restore_map(meta_graph.graph_def.node)}
    found: dict[str, Variable] = {}
    for node in nodes:
        key = variable_key(node)
        source = restored.get(node.name) or (key, "")
        if source[0] in checkpoint:
            found[key] = _variable(node, key, source, checkpoint)
    return found


def _declared_slices(meta_graph: Any) -> dict[str, tuple[str, str]]:
    """Partitioned variables as collections describe them; hub modules have no restore ops."""
    from tensorflow.core.framework import variable_pb2

    found: dict[str, tuple[str, str]] = {}
    for collection in meta_graph.collection_def.values():
        for data in collection.bytes_list.value:
            variable = variable_pb2.VariableDef()
            if not _parses(variable, data) or not variable.HasField("save_slice_info_def"):
                continue
            info = variable.save_slice_info_def
            if len(info.var_offset) != len(info.var_shape):
                continue
            spans = ":".join(f"{o},{n}" for o, n in zip(info.var_offset, info.var_shape, strict=True))
            full = " ".join(str(d) for d in info.full_shape)
            found[graphdef.node_name(variable.variable_name)] = (info.full_name, f"{full} {spans}")
    return found


def _parses(message: Any, data: bytes) -> bool:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    return True


def _variable(node: Node, key: str, source: tuple[str, str], checkpoint: Checkpoint) -> Variable:
    shape = node["shape"]
    assert isinstance(shape, Shape)
    if source[1]:
        full = checkpoint.shapes[source[0]]
        shape = Shape(tuple(len(range(d)[s]) for d, s in zip(full, parse_slice(source[1]), strict=True)))
    elif not shape.is_full:
        shape = Shape(tuple(checkpoint.shapes[source[0]]))
    type_ = node["dtype"]
    return Variable(key, type_, shape, lambda: checkpoint.tensor(*source), *source)  # type: ignore[arg-type]


def restore_map(node_defs: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """Variable node name → (checkpoint key, slice spec), read off the graph's own restore ops."""
    by_name = {n.name: n for n in node_defs}
    found: dict[str, tuple[str, str]] = {}
    for node_def in by_name.values():
        if node_def.op in ("Assign", "AssignVariableOp") and len(node_def.input) >= 2:
            source = _restored_by(by_name, node_def.input[1])
            if source is not None:
                found.setdefault(graphdef.node_name(node_def.input[0]), source)
    return found


def _restored_by(by_name: dict[str, Any], ref: str) -> tuple[str, str] | None:
    name, port = _canonical(ref)
    seen: set[str] = set()
    while name in by_name and by_name[name].op == "Identity" and by_name[name].input and name not in seen:
        seen.add(name)
        name, port = _canonical(by_name[name].input[0])
    node_def = by_name.get(name)
    if node_def is None or node_def.op != "RestoreV2" or len(node_def.input) < 3:
        return None
    keys, specs = (string_const(by_name, node_def.input[k]) for k in (1, 2))
    return (keys[port], specs[port]) if port < len(keys) and port < len(specs) else None


def string_const(by_name: dict[str, Any], ref: str) -> list[str]:
    """The strings of a constant that an input names; none if it is no constant."""
    node_def = by_name.get(graphdef.node_name(ref))
    if node_def is None or node_def.op != "Const":
        return []
    array = attr_io.tensor_to_array(node_def.attr["value"].tensor)
    if dtype_of(array).name != "string":
        return []
    return [s.decode(errors="replace") for s in array.reshape(-1).tolist()]
