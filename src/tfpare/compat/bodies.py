"""NodeDefs and what refers to them: the view of transforms that edit protos.

The main graph and function bodies spell references differently (`node:1`; `node:output_name:0`, and arguments by their
bare name). A `Body` knows the spelling, the readers of each node and the types of tensors, as far as they are known:
nodes of unknown ops, or without attributes, are nodes like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfpare.compat.work import Work
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.io.op_registry import op_spec, spec_of
from tfpare.ir.ops import OpSpec
from tfpare.ir.types import Attr, DType

CONTROL = -1
_COLOCATION = b"loc:@"
_TYPE_KINDS = frozenset({"type", "i", "list"})


@dataclass(slots=True)
class Body:
    """The nodes of the main graph, or of a function.

    Attributes:
        nodes: the repeated field that holds the NodeDefs.
        function: the FunctionDef, None for the main graph.
        functions: the signatures of the graph's functions, which its nodes may call by name.
        by_name: the NodeDefs.
        arguments: types of the function's arguments.
        readers: names of the nodes that read a node or argument, or wait for it.
    """

    nodes: Any
    function: Any | None
    functions: Mapping[str, Any]
    by_name: dict[str, Any] = field(default_factory=dict[str, Any])
    arguments: dict[str, DType] = field(default_factory=dict[str, DType])
    readers: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])

    def __post_init__(self) -> None:
        self.by_name = {n.name: n for n in self.nodes}
        for arg in self.function.signature.input_arg if self.function is not None else ():
            self.arguments[arg.name] = attr_io.dtype_from_enum(arg.type) if arg.type else DType("")
        for node in self.nodes:
            self._add_reader(node)

    def _add_reader(self, node: Any) -> None:
        for ref in node.input:
            self.readers.setdefault(graphdef.node_name(ref), {})[node.name] = None

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def is_main(self) -> bool:
        """Whether callers feed and fetch nodes of this body by name."""
        return self.function is None

    def readers_of(self, name: str) -> list[Any]:
        """The NodeDefs that read a node or wait for it."""
        return [self.by_name[r] for r in self.readers.get(name, ())]

    def results(self) -> list[str]:
        """The references that the function returns; none for the main graph."""
        return [] if self.function is None else list(self.function.ret.values())

    def control_results(self) -> set[str]:
        """Nodes that the function runs for their effect."""
        return set() if self.function is None else set(self.function.control_ret.values())

    def spec(self, node: Any) -> OpSpec | None:
        """What the op of a node, or the function that it calls by name, takes and gives; None if nobody knows."""
        if node.op in self.functions:
            return spec_of(self.functions[node.op])
        return op_spec(node.op)

    def output_types(self, node: Any) -> tuple[DType, ...] | None:
        """Types of a node's outputs; None if its op is unknown or an attribute is missing."""
        return _types(node, self.spec(node), OpSpec.output_dtypes)

    def input_types(self, node: Any) -> tuple[DType, ...] | None:
        """Types of a node's inputs, like `output_types`."""
        return _types(node, self.spec(node), OpSpec.input_dtypes)

    def type_of(self, ref: str) -> DType | None:
        """Type of a tensor as its node says, or else as a reader expects it; None if neither is known."""
        name, port = self.parse(ref)
        if name in self.arguments:
            return self.arguments[name] if self.arguments[name].name else None
        known = self.output_types(self.by_name[name])
        if known is not None:
            return known[port] if port < len(known) else None
        return self._expected(name, port)

    def _expected(self, name: str, port: int) -> DType | None:
        for reader in self.readers_of(name):
            wanted = self.input_types(reader) or ()
            for ref, type_ in zip(data_inputs(reader), wanted, strict=False):
                if self.parse(ref) == (name, port):
                    return type_.base
        return None

    def references_to(self, name: str) -> dict[str, int]:
        """How nodes and results refer to a node or argument: each spelling, with its port."""
        refs = [r for reader in self.readers_of(name) for r in reader.input] + self.results()
        return {ref: self.parse(ref)[1] for ref in refs if graphdef.node_name(ref) == name}

    def ports_read(self, name: str) -> set[int]:
        """Ports of a node that nodes or results read; `CONTROL` where a node waits for it."""
        return set(self.references_to(name).values())

    # -- spelling ---------------------------------------------------------------------------------------------------

    def parse(self, ref: str) -> tuple[str, int]:
        """The node or argument that a reference names, and the port (`CONTROL` for `^node`)."""
        name, _, rest = ref.removeprefix("^").partition(":")
        if ref.startswith("^"):
            return name, CONTROL
        if self.is_main or not rest:
            return name, int(rest) if rest.isdecimal() else 0
        output, _, offset = rest.partition(":")
        return name, self._first_port(name, output) + (int(offset) if offset.isdecimal() else 0)

    def _first_port(self, name: str, output: str) -> int:
        return next((port for argument, port, _ in self._outputs(name) if argument == output), 0)

    def _outputs(self, name: str) -> Iterator[tuple[str, int, int]]:
        """Name, first port and count of each output argument."""
        spec = self.spec(self.by_name[name]) if name in self.by_name else None
        if spec is None:
            return
        port, known = 0, known_attrs(self.by_name[name], spec)
        for arg in spec.outputs:
            count = len(arg.dtypes(known)) if len(spec.outputs) > 1 or arg.number_attr or arg.type_list_attr else 1
            yield arg.name, port, count
            port += count

    def spell(self, name: str, port: int = 0) -> str:
        """How this body refers to a port of a node."""
        if port == CONTROL:
            return f"^{name}"
        if self.is_main or name in self.arguments:
            return f"{name}:{port}" if port else name
        for argument, first, count in self._outputs(name):
            if port < first + count:
                return f"{name}:{argument}:{port - first}"
        return f"{name}:output:{port}"

    # -- changing ---------------------------------------------------------------------------------------------------

    def set_inputs(self, node: Any, data: Iterable[str], controls: Iterable[str]) -> None:
        """Gives a node other inputs; nobody waits for an argument, which is there from the start."""
        for ref in node.input:
            self.readers.get(graphdef.node_name(ref), {}).pop(node.name, None)
        waits = [f"^{c}" for c in dict.fromkeys(controls) if c not in self.arguments and c != node.name]
        node.input[:] = [*data, *waits]
        self._add_reader(node)

    def redirect(self, name: str, change: Callable[[int], str | None], but: Iterable[str] = ()) -> None:
        """Lets readers and results refer to something else: `change` maps a port to the new reference, or None."""
        changed = {ref: change(port) or ref for ref, port in self.references_to(name).items()}
        self.respell(name, changed, but)

    def respell(self, name: str, refs: Mapping[str, str], but: Iterable[str] = ()) -> None:
        """Replaces references to a node, except those of some readers."""
        for reader in [r for r in self.readers_of(name) if r.name not in set(but)]:
            inputs = [refs.get(ref, ref) for ref in reader.input]
            controls = [graphdef.node_name(ref) for ref in inputs if ref.startswith("^")]
            self.set_inputs(reader, [ref for ref in inputs if not ref.startswith("^")], controls)
        for key, ref in dict(self.function.ret).items() if self.function is not None else ():
            self.function.ret[key] = refs.get(ref, ref)  # type: ignore[union-attr]

    def wait_also(self, name: str, controls: Iterable[str]) -> None:
        """Lets the readers of a node wait for others as well."""
        for reader in self.readers_of(name):
            self.set_inputs(reader, data_inputs(reader), [*control_inputs(reader), *controls])

    def is_unread(self, name: str) -> bool:
        """Whether nobody reads a node or waits for it, and the function neither returns nor runs it."""
        is_result = name in self.control_results() or any(graphdef.node_name(r) == name for r in self.results())
        return not self.readers.get(name) and not is_result

    def fresh_name(self, base: str) -> str:
        """`base`, or `base_k` with the smallest k that is free."""
        name, k = base, 0
        while name in self.by_name or name in self.arguments:
            k += 1
            name = f"{base}_{k}"
        return name

    def add(self, op: str, name: str, data: Iterable[str] = (), controls: Iterable[str] = (), **attrs: Attr) -> Any:
        """Adds a node under a name that is free."""
        node = self.nodes.add(op=op, name=name)
        self.by_name[name] = node
        self.set_inputs(node, data, controls)
        for key, value in attrs.items():
            attr_io.encode(value, node.attr[key])
        return node

    def remove(self, names: Iterable[str]) -> None:
        """Removes nodes that nobody reads any more."""
        doomed = set(names)
        for index in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[index]
            if node.name in doomed:
                self.set_inputs(node, (), ())
                del self.by_name[node.name]
                del self.nodes[index]

    def rename(self, names: Mapping[str, str]) -> None:
        """Renames nodes, and what refers to them: inputs, results and colocation."""
        for node in self.nodes:
            node.name = names.get(node.name, node.name)
            refs = [_renamed(ref, names) for ref in node.input]
            if refs != list(node.input):
                node.input[:] = refs
        map_colocations(self.nodes, lambda name: names.get(name, name))
        if self.function is not None:
            for refs in (self.function.ret, self.function.control_ret):
                for key, ref in dict(refs).items():
                    refs[key] = _renamed(ref, names)
        self.by_name, self.readers = {n.name: n for n in self.nodes}, {}
        for node in self.nodes:
            self._add_reader(node)


def bodies(work: Work) -> Iterator[Body]:
    """The main graph, then the function bodies."""
    graph_def = work.proto()
    functions = {f.signature.name: f.signature for f in graph_def.library.function}
    yield Body(graph_def.node, None, functions)
    for function in graph_def.library.function:
        yield Body(function.node_def, function, functions)


def data_inputs(node: Any) -> list[str]:
    """References to the tensors that a node reads."""
    return [r for r in node.input if not r.startswith("^")]


def control_inputs(node: Any) -> list[str]:
    """Names of the nodes that a node waits for."""
    return [r[1:] for r in node.input if r.startswith("^")]


def known_attrs(node: Any, spec: OpSpec) -> dict[str, Attr]:
    """The attributes of a node that may decide about types and counts, with the op's defaults."""
    own = {k: attr_io.decode(v) for k, v in node.attr.items() if v.WhichOneof("value") in _TYPE_KINDS}
    return {**spec.defaults, **own}


def map_colocations(nodes: Iterable[Any], change: Callable[[str], str | None]) -> None:
    """Changes the names in the nodes' colocation constraints; None drops one."""
    for node in nodes:
        if "_class" not in node.attr:
            continue
        before = list(node.attr["_class"].list.s)
        after = [c for c in (_colocation(c, change) for c in before) if c is not None]
        if not after:
            del node.attr["_class"]
        elif after != before:
            node.attr["_class"].list.s[:] = after


def _colocation(constraint: bytes, change: Callable[[str], str | None]) -> bytes | None:
    if not constraint.startswith(_COLOCATION):
        return constraint
    name = change(constraint.removeprefix(_COLOCATION).decode())
    return None if name is None else _COLOCATION + name.encode()


def _renamed(ref: str, names: Mapping[str, str]) -> str:
    mark, name = ref[: ref.startswith("^")], graphdef.node_name(ref)
    return mark + names.get(name, name) + ref.removeprefix("^")[len(name) :]


def _types(
    node: Any, spec: OpSpec | None, ask: Callable[[OpSpec, Mapping[str, Attr]], tuple[DType, ...]]
) -> tuple[DType, ...] | None:
    if spec is None:
        return None
    try:
        return ask(spec, known_attrs(node, spec))
    except KeyError:
        return None
