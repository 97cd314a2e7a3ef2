"""GraphDef protos to and from the IR, and the files that hold them (`.pb`, `.pbtxt`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io.node_checks import check_node
from tfpare.io.op_registry import op_spec
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import Registry
from tfpare.ir.types import UNKNOWN, Attr, DType, dtype

# Facts about another graph than the one we write: shapes go stale, colocation names nodes that may be gone, gradients
# and read-only lists refer to what was inlined.
STALE_ATTRS = frozenset(
    {"_output_shapes", "_class", "_gradient_op_type", "_read_only_resource_inputs", "_num_original_outputs"}
)


def read_graphdef(path: Path, into: Any | None = None) -> Any:
    """Parses a binary or text GraphDef file, into a GraphDef of the caller where one is given.

    Raises:
        UnsupportedModel: the file is neither.
    """
    from google.protobuf import message, text_format
    from tensorflow.core.framework import graph_pb2

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnsupportedModel(f"{path} cannot be read: {error.strerror}.") from error
    graph_def = graph_pb2.GraphDef() if into is None else into
    try:
        graph_def.ParseFromString(data)
        if graph_def.node:
            return graph_def
    except message.DecodeError:
        graph_def.Clear()  # what was parsed before the error
    try:
        text_format.Parse(data.decode("utf-8"), graph_def)
    except (UnicodeDecodeError, text_format.ParseError, RecursionError) as error:
        raise UnsupportedModel(
            f"{path} is neither a binary nor a text GraphDef. It may be cut off or damaged, or be another kind of file."
        ) from error
    if not graph_def.node:
        raise UnsupportedModel(f"{path} holds no graph nodes.")
    return graph_def


def as_meta_graph(path: Path) -> Any:
    """A GraphDef file as a MetaGraph.

    Raises:
        UnsupportedModel: as `read_graphdef`.
    """
    from tensorflow.core.protobuf import meta_graph_pb2

    meta_graph = meta_graph_pb2.MetaGraphDef()
    read_graphdef(path, meta_graph.graph_def)
    return meta_graph


def read_meta_graph(path: Path) -> Any:
    """Parses a binary or text MetaGraphDef file (`.meta`).

    Raises:
        UnsupportedModel: the file is neither.
    """
    from google.protobuf import message, text_format
    from tensorflow.core.protobuf import meta_graph_pb2

    meta_graph = meta_graph_pb2.MetaGraphDef()
    try:
        data = path.read_bytes()
        try:
            meta_graph.ParseFromString(data)
        except message.DecodeError:
            text_format.Parse(data.decode("utf-8"), meta_graph)
    except OSError as error:
        raise UnsupportedModel(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise UnsupportedModel(f"{path} cannot be parsed: cut off, damaged, or no MetaGraph.") from error
    return meta_graph


def write_graphdef(graph_def: Any, path: Path, as_text: bool = False) -> None:
    """Writes a GraphDef file, binary or text.

    Raises:
        UnsupportedModel: it is larger than the 2 GB that a file can hold.
    """
    from google.protobuf import message, text_format

    if as_text:
        path.write_text(text_format.MessageToString(graph_def))
        return
    try:
        path.write_bytes(graph_def.SerializeToString(deterministic=True))
    except (message.EncodeError, ValueError) as error:
        raise UnsupportedModel("The graph with its constants is larger than the 2 GB that a file can hold.") from error


def reachable(node_defs: Iterable[Any], wanted: Iterable[str], stop: Iterable[str] = ()) -> list[Any]:
    """The NodeDefs that the tensors or nodes `wanted` need, in file order; not behind the nodes `stop`.

    Raises:
        UnsupportedModel: a node or an input is missing, or a name occurs twice.
    """
    by_name: dict[str, Any] = {}
    for node_def in node_defs:
        if node_def.name in by_name:
            raise UnsupportedModel(f"Two nodes of the graph have the name {node_def.name!r}. The file is damaged.")
        by_name[node_def.name] = node_def
    stops, seen = set(stop), set[str]()
    stack = [(node_name(w), "the caller") for w in wanted]
    while stack:
        name, reader = stack.pop()
        if name in seen:
            continue
        if name not in by_name:
            raise UnsupportedModel(f"Node {name!r}, which {reader} needs, is not in the graph.")
        seen.add(name)
        if name not in stops:
            stack.extend((node_name(i), f"node {name!r}") for i in by_name[name].input)
    return [n for n in by_name.values() if n.name in seen]


def node_name(ref: str) -> str:
    """`^a`, `a:1`, `a` → `a`."""
    return ref.removeprefix("^").partition(":")[0]


def flat_port(ref: str) -> tuple[str, int]:
    """`a:1` → (`a`, 1).

    Raises:
        UnsupportedModel: the port is no number.
    """
    name, _, port = ref.partition(":")
    if port and not port.isdecimal():
        raise UnsupportedModel(f"The tensor name {ref!r} has no numeric port.")
    return name, int(port or 0)


def add_nodes(
    graph: Graph, node_defs: Iterable[Any], resolve: Callable[[str], Value], unknown_ops: bool = False
) -> None:
    """Adds NodeDefs to a graph and wires them; `resolve` finds the value that an input string names.

    With `unknown_ops`, nodes of ops that are not registered get as many outputs as are read, of the types that their
    readers expect.
    """
    added: list[tuple[Node, Any]] = []
    unknown: list[Node] = []
    for node_def in node_defs:
        if unknown_ops and graph.registry(node_def.op) is None:
            unknown.append(_add_unknown(graph, node_def))
        else:
            _add_node(graph, node_def)
        added.append((graph.nodes[node_def.name], node_def))
    if unknown:
        _type_unknown(set(unknown), added)
    for node, node_def in added:
        data = [i for i in node_def.input if not i.startswith("^")]
        controls = [i[1:] for i in node_def.input if i.startswith("^")]
        try:
            graph.set_inputs(node, (resolve(i) for i in data))
            graph.set_controls(node, (graph.nodes[c] for c in controls))
        except KeyError as error:
            raise UnsupportedModel(f"Input {error} of node {node.name!r} is not in the graph.") from error


def unknown_op(op: str, node: str) -> UnsupportedModel:
    """The refusal of an op that nobody registered."""
    return UnsupportedModel(
        f"Op {op!r} of node {node!r} is not registered in this TensorFlow. Load the library that defines it with "
        "--op_library, or use the TensorFlow version that wrote the model."
    )


def _add_node(graph: Graph, node_def: Any) -> Node:
    spec = graph.registry(node_def.op)
    if spec is None:
        raise unknown_op(node_def.op, node_def.name)
    check_node(node_def, spec)
    attrs: dict[str, Attr] = {}
    for key, value in node_def.attr.items():
        if key not in STALE_ATTRS:
            attrs[key] = attr_io.decode(value)
    node = _add_named(graph, node_def, attrs, None)
    if node.op == "Const":
        node.shapes = (attr_io.shape_from_proto(node_def.attr["value"].tensor.tensor_shape),)
    return node


def _add_named(graph: Graph, node_def: Any, attrs: dict[str, Attr], dtypes: tuple[DType, ...] | None) -> Node:
    if node_def.name in graph.nodes:
        raise UnsupportedModel(f"Two nodes of the graph have the name {node_def.name!r}. The file is damaged.")
    return graph.add(node_def.op, (), attrs, name=node_def.name, device=node_def.device, dtypes=dtypes)


def _add_unknown(graph: Graph, node_def: Any) -> Node:
    attrs = {key: attr_io.decode(value) for key, value in node_def.attr.items() if key not in STALE_ATTRS}
    return _add_named(graph, node_def, attrs, ())


def _type_unknown(unknown: set[Node], added: list[tuple[Node, Any]]) -> None:
    """Gives nodes of unknown ops the output types that their readers expect; `variant` where no reader knows."""
    by_name = {n.name: n for n in unknown}
    found: dict[Node, dict[int, DType]] = {}
    for node, node_def in added:
        data = [i for i in node_def.input if not i.startswith("^")]
        reads = [(k, *flat_port(i)) for k, i in enumerate(data) if node_name(i) in by_name]
        wanted = node.spec.input_dtypes(node.attrs) if node.spec is not None and reads else ()
        for position, source, port in reads:
            known = wanted[position].base if position < len(wanted) else dtype("variant")
            ports = found.setdefault(by_name[source], {})
            if ports.get(port, known).name == "variant" or known.name != "variant":
                ports[port] = known
    for node, ports in found.items():
        node.dtypes = tuple(ports.get(k, dtype("variant")) for k in range(max(ports) + 1))
        node.shapes = (UNKNOWN,) * len(node.dtypes)


def read_nodes(graph: Graph, node_defs: Iterable[Any], unknown_ops: bool = False) -> None:
    """Adds NodeDefs whose inputs use the `name:port` form of main graphs."""

    def resolve(ref: str) -> Value:
        name, port = flat_port(ref)
        return Value(graph.nodes[name], port)

    add_nodes(graph, node_defs, resolve, unknown_ops)


def registry_with(library: Callable[[str], Any]) -> Registry:
    """TensorFlow's registry, then the functions of a graph's own library (called by name as TF 1 does)."""

    def lookup(op: str) -> Any:
        spec = op_spec(op)
        return spec if spec is not None else library(op)

    return lookup


def write_node(node: Node, refs: Callable[[Value], str], into: Any) -> None:
    """Fills a NodeDef from a node; attributes that equal the op's default are left out."""
    into.name, into.op, into.device = node.name, node.op, node.device
    into.input.extend(refs(v) for v in node.inputs)
    into.input.extend("^" + c.name for c in node.controls)
    if node.op == "Const":
        _write_const(node, into)
        return
    for key, value in node.attrs.items():
        if not _is_default(node, key, value):
            attr_io.encode(value, into.attr[key])


def _is_default(node: Node, key: str, value: Attr) -> bool:
    if node.spec is None or key not in node.spec.defaults or isinstance(value, np.ndarray):
        return False
    default = node.spec.defaults[key]
    return type(default) is type(value) and default == value


def _write_const(node: Node, into: Any) -> None:
    type_, value = node.attrs["dtype"], node.out().constant
    assert isinstance(type_, DType)
    assert value is not None
    attr_io.encode(type_, into.attr["dtype"])
    attr_io.array_to_tensor(value, into.attr["value"].tensor, type_)


def write_nodes(graph: Graph, into: Any) -> None:
    """Appends every node of a main graph to a GraphDef, inputs before readers."""
    for node in graph.topological():
        write_node(node, str, into.node.add())
