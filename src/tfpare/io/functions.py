"""FunctionDef protos to and from the IR, and the library that holds them.

A function that no pass touches is written back as it was read, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.io.op_registry import spec_of
from tfpare.ir.copying import clone
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import OpSpec
from tfpare.ir.types import UNKNOWN, Attr, DType, Shape

_STALE_FUNCTION_ATTRS = frozenset(
    {"_input_shapes", "forward_function_name", "backward_function_name", "_construction_context", "_original_func_name"}
)


class Library:
    """The functions of a model: protos as read, graphs for those that were looked into."""

    def __init__(self, function_defs: Iterator[Any] | list[Any]) -> None:
        self.protos: dict[str, Any] = {f.signature.name: f for f in function_defs}
        self.graphs: dict[str, Graph] = {}
        self._inner: dict[str, str] = {}
        self._opaque: set[str] = set()
        self.registry = graphdef.registry_with(self._spec)

    def _spec(self, name: str) -> OpSpec | None:
        proto = self.protos.get(name)
        return None if proto is None else spec_of(proto.signature)

    def __contains__(self, name: str) -> bool:
        return (name in self.protos or name in self.graphs) and name not in self._opaque

    def hide_unreadable(self) -> None:
        """Leaves functions with ops that nobody registered, or of any type, as they are: no pass looks into them."""
        for name, proto in self.protos.items():
            is_generic = any(not a.type or a.number_attr for a in proto.signature.input_arg)
            if is_generic or any(self.registry(n.op) is None for n in proto.node_def):
                self._opaque.add(name)

    def graph(self, name: str) -> Graph:
        """The function's body as a graph, parsed at the first call.

        Raises:
            UnsupportedModel: there is no such function or it is damaged.
        """
        if name not in self.graphs:
            if name not in self.protos:
                raise UnsupportedModel(f"The function {name!r} is called but not defined in the model.")
            self.graphs[name] = read_function(self.protos[name], self, name)
        return self.graphs[name]

    def separate(self, names: Iterable[str]) -> None:
        """Gives calls from inside the library a copy of each named function.

        Callers from outside bind a function's last arguments to objects; calls from inside pass them. Call this before
        any function is parsed, and then take what is called from outside with `entry`.
        """
        wanted = set(names)
        for proto in list(self.protos.values()):
            for reference in _references(proto):
                name: str = reference.name
                if name in wanted and name not in self._inner:
                    self._inner[name] = self.fresh_name(f"{name}_inner")
                    self.protos[self._inner[name]] = self.protos[name]
                reference.name = self._inner.get(name, name)

    def entry(self, name: str) -> Graph:
        """The function as callers from outside see it."""
        graph, inner = self.graph(name), self._inner.get(name)
        if inner is not None and inner not in self.graphs:
            self.graphs[inner] = clone(graph, inner)  # parsing again would hold its constants twice
        return graph

    def fresh_name(self, base: str) -> str:
        """A function name that is not taken."""
        name, k = base, 0
        while name in self.protos or name in self.graphs:
            k += 1
            name = f"{base}_{k}"
        return name


def _references(proto: Any) -> Iterator[Any]:
    """The `NameAttrList`s by which a FunctionDef names other functions."""
    for node_def in proto.node_def:
        for value in node_def.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func":
                yield value.func
            elif kind == "list":
                yield from value.list.func


def read_function(proto: Any, library: Library, name: str) -> Graph:
    """A FunctionDef as a graph with `_Arg` nodes; results become outputs, control results become `keep`."""
    signature = proto.signature
    graph = Graph(name, library.registry)
    by_name: dict[str, Value] = {}
    for index, arg in enumerate(signature.input_arg):
        node = _add_arg(graph, arg, index, proto)
        by_name[arg.name] = node.out()

    def resolve(ref: str) -> Value:
        name, _, rest = ref.partition(":")
        if not rest and name in by_name:
            return by_name[name]
        out_name, _, offset = rest.partition(":")
        if name not in graph.nodes or (offset and not offset.isdecimal()):
            raise UnsupportedModel(f"Function {graph.name!r} refers to {ref!r}, which it does not have.")
        node = graph.nodes[name]
        return Value(node, _first_port(node, out_name) + int(offset or 0))

    graphdef.add_nodes(graph, proto.node_def, resolve)
    for arg in signature.output_arg:
        graph.outputs[arg.name] = resolve(proto.ret[arg.name])
    for name in proto.control_ret.values():
        if name not in graph.nodes:
            raise UnsupportedModel(f"Function {graph.name!r} refers to {name!r}, which it does not have.")
        graph.keep[graph.nodes[name]] = None
    return graph


def _add_arg(graph: Graph, arg: Any, index: int, proto: Any) -> Node:
    if not arg.type:
        raise UnsupportedModel(f"Function {proto.signature.name!r} is generic in argument {arg.name!r}.")
    type_ = attr_io.dtype_from_enum(arg.type)
    shape = _arg_shape(proto, index)
    attrs: dict[str, Attr] = {"T": type_, "index": index}
    node = graph.add("_Arg", (), attrs, name=arg.name, dtypes=(type_,), shapes=(shape,))
    graph.args.append(node)
    return node


def _arg_shape(proto: Any, index: int) -> Shape:
    if index in proto.arg_attr:
        shapes = proto.arg_attr[index].attr["_output_shapes"].list.shape
        if len(shapes) == 1:
            return attr_io.shape_from_proto(shapes[0])
    return UNKNOWN


def _first_port(node: Node, out_name: str) -> int:
    if node.spec is None or not node.spec.outputs:
        return 0
    port, full = 0, {**node.spec.defaults, **node.attrs}
    for arg in node.spec.outputs:
        if arg.name == out_name:
            return port
        port += len(arg.dtypes(full))
    raise UnsupportedModel(f"{node!r} has no output named {out_name!r}.")


def _ref(value: Value) -> str:
    """How a function body spells a value: `arg`, or `node:output_name:offset`."""
    node = value.node
    if node.op == "_Arg":
        return node.name
    port = 0
    if node.spec is not None:
        full = {**node.spec.defaults, **node.attrs}
        for arg in node.spec.outputs:
            count = len(arg.dtypes(full))
            if value.index < port + count:
                return f"{node.name}:{arg.name}:{value.index - port}"
            port += count
    return f"{node.name}:output:{value.index}"


def write_function(graph: Graph, original: Any | None, into: Any) -> None:
    """Fills a FunctionDef from a graph; what is not the graph's own business comes from the original proto."""
    old_args: dict[str, Any] = {}
    if original is not None:
        old_args = {
            a.name: original.arg_attr[k] for k, a in enumerate(original.signature.input_arg) if k in original.arg_attr
        }
        into.CopyFrom(original)
        for part in ("node_def", "ret", "control_ret", "arg_attr", "resource_arg_unique_id"):
            into.ClearField(part)
        for stale in _STALE_FUNCTION_ATTRS & set(into.attr):
            del into.attr[stale]
    old_results = {a.name: a.description for a in into.signature.output_arg}
    for part in ("input_arg", "output_arg", "control_output"):
        into.signature.ClearField(part)
    into.signature.name = graph.name
    _write_args(graph, old_args, into)
    for key, value in graph.outputs.items():
        arg = into.signature.output_arg.add(name=key, type=attr_io.dtype_to_enum(value.dtype.base))
        arg.description = old_results.get(key, "")
        into.ret[key] = _ref(value)
    for node in graph.topological():
        if node.op != "_Arg":
            graphdef.write_node(node, _ref, into.node_def.add())
    for node in graph.keep:
        into.control_ret[node.name] = node.name
        into.signature.control_output.append(node.name)
    into.signature.is_stateful = any(n.is_effectful or (n.spec and n.spec.is_stateful) for n in graph if n.op != "_Arg")


def _write_args(graph: Graph, old_args: dict[str, Any], into: Any) -> None:
    for index, node in enumerate(graph.args):
        if node.name in old_args:
            into.arg_attr[index].CopyFrom(old_args[node.name])
            into.arg_attr[index].attr.pop("_output_shapes", None)
        type_ = node.dtypes[0]
        assert isinstance(type_, DType)
        into.signature.input_arg.add(name=node.name, type=attr_io.dtype_to_enum(type_))
        if node.shapes[0].dims is not None or type_.name not in ("resource", "variant"):
            shapes = into.arg_attr[index].attr["_output_shapes"].list.shape
            shapes.add().CopyFrom(attr_io.shape_to_proto(node.shapes[0]))


def called_functions(function_def: Any) -> list[str]:
    """Names of functions that a FunctionDef's nodes call."""
    return called_by(function_def.node_def)


def called_by(node_defs: Iterable[Any]) -> list[str]:
    """Names of functions that nodes call, and of their ops, which may be functions too."""
    found: list[str] = []
    for node_def in node_defs:
        found.append(node_def.op)
        for value in node_def.attr.values():
            if value.HasField("func"):
                found.append(value.func.name)
            found.extend(f.name for f in value.list.func)
    return found
