"""The graph: nodes, values (one output of a node), who reads what, and the invariants that every pass keeps.

A graph is the main graph of a model or the body of a function. Nodes refer to each other directly; names exist for
people and for files. `Graph` is the only place where edges change, so that the lists of readers are always right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tfpare.errors import InvariantError
from tfpare.ir.ops import CONTROL_FLOW_V1, OpSpec, Registry, is_effectful
from tfpare.ir.types import UNKNOWN, Array, Attr, DType, Func, Shape, dtype_of

CURRENT_PRODUCER = 1882  # GraphDef version of TensorFlow 2.16, the oldest that is supported


class Value(NamedTuple):
    """Output `index` of `node`."""

    node: Node
    index: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody searches a value as a tuple

    @property
    def dtype(self) -> DType:
        """Type of the elements."""
        return self.node.dtypes[self.index]

    @property
    def shape(self) -> Shape:
        """What is known of the shape."""
        return self.node.shapes[self.index] if self.index < len(self.node.shapes) else UNKNOWN

    @property
    def constant(self) -> Array | None:
        """The value where the node is a Const, else None."""
        value = self.node.attrs.get("value") if self.node.op == "Const" else None
        return value if hasattr(value, "dtype") and not isinstance(value, DType) else None  # type: ignore[return-value]

    def __str__(self) -> str:
        return f"{self.node.name}:{self.index}" if self.index else self.node.name


@dataclass(eq=False, slots=True)
class Node:
    """One operation. Change its edges only through its `Graph`."""

    name: str
    op: str
    inputs: tuple[Value, ...] = ()
    controls: tuple[Node, ...] = ()
    attrs: dict[str, Attr] = field(default_factory=dict[str, Attr])
    dtypes: tuple[DType, ...] = ()
    shapes: tuple[Shape, ...] = ()
    device: str = ""
    made_by: str = ""
    spec: OpSpec | None = None
    readers: dict[Node, None] = field(default_factory=dict["Node", None])

    def __getitem__(self, key: str) -> Attr:
        """The attribute, or the op's default where the node leaves it out.

        Raises:
            KeyError: neither exists.
        """
        if key in self.attrs:
            return self.attrs[key]
        if self.spec is not None and key in self.spec.defaults:
            return self.spec.defaults[key]
        raise KeyError(f"{self.op} {self.name!r} has no attribute {key!r}")

    def get(self, key: str, default: Attr = None) -> Attr:  # type: ignore[assignment]
        """Like indexing, with a value for attributes that do not exist."""
        try:
            return self[key]
        except KeyError:
            return default

    def out(self, index: int = 0) -> Value:
        """Output `index`."""
        return Value(self, index)

    @property
    def is_effectful(self) -> bool:
        """Whether running it matters beyond its outputs."""
        return is_effectful(self.op, self.spec)

    def __repr__(self) -> str:
        return f"<{self.op} {self.name!r}>"


class Graph:
    """Nodes by name, named outputs, and values that callers feed.

    Attributes:
        name: the function's name, or `main`.
        outputs: what callers fetch or the function returns: key (a tensor name or result name) to value, in order.
        args: a function's parameters in order (nodes of op `_Arg`); empty for a main graph.
        fed: values that a caller may replace: no rule looks behind them and they keep their name.
        keep: nodes that run for their effect although nobody reads them (control outputs, initialisers).
        pinned: nodes that stay as they are, name and all (tables, assets, initialisers).
        edits: how often the graph was changed; lets others see whether what they computed still holds
            (`inferred_at`: the count at which shapes were last inferred).
        producer: the GraphDef version whose rules the graph follows (old ops exist only in old versions).
    """

    def __init__(self, name: str, registry: Registry) -> None:
        self.name = name
        self.registry = registry
        self.nodes: dict[str, Node] = {}
        self.outputs: dict[str, Value] = {}
        self.args: list[Node] = []
        self.fed: set[Value] = set()
        self.keep: dict[Node, None] = {}
        self.pinned: set[Node] = set()
        self.producer = CURRENT_PRODUCER
        self.edits = 0
        self.inferred_at = -1
        self._counters: dict[str, int] = {}

    # -- building ---------------------------------------------------------------------------------------------------

    def fresh_name(self, base: str) -> str:
        """`base`, or `base_k` with the smallest k not used before."""
        if base not in self.nodes:
            return base
        k = self._counters.get(base, 0) + 1
        while f"{base}_{k}" in self.nodes:
            k += 1
        self._counters[base] = k
        return f"{base}_{k}"

    def add(
        self,
        op: str,
        inputs: Iterable[Value] = (),
        attrs: Mapping[str, Attr] | None = None,
        *,
        name: str = "",
        controls: Iterable[Node] = (),
        dtypes: tuple[DType, ...] | None = None,
        shapes: tuple[Shape, ...] | None = None,
        device: str = "",
        made_by: str = "",
    ) -> Node:
        """Adds a node. Its output dtypes follow from the op registry unless given.

        Raises:
            InvariantError: the op is not registered and no `dtypes` are given, or an attribute is missing.
        """
        spec = self.registry(op)
        node = Node(self.fresh_name(name or op), op, tuple(inputs), (), dict(attrs or {}), device=device)
        node.spec, node.made_by = spec, made_by
        node.dtypes = dtypes if dtypes is not None else self._infer_dtypes(node)
        node.shapes = shapes if shapes is not None else (UNKNOWN,) * len(node.dtypes)
        self.nodes[node.name] = node
        self.edits += 1
        for value in node.inputs:
            value.node.readers[node] = None
        self.set_controls(node, controls)
        return node

    def const(self, array: Array, *, name: str = "Const", type_: DType | None = None, made_by: str = "") -> Value:
        """Adds a Const of `array`; the array is taken over, do not write to it afterwards."""
        type_ = type_ or dtype_of(array)
        shape = Shape(tuple(int(d) for d in array.shape))
        attrs: dict[str, Attr] = {"dtype": type_, "value": array}
        return self.add("Const", (), attrs, name=name, dtypes=(type_,), shapes=(shape,), made_by=made_by).out()

    @staticmethod
    def _infer_dtypes(node: Node) -> tuple[DType, ...]:
        if node.spec is None:
            raise InvariantError(f"Op {node.op!r} of node {node.name!r} is not registered in this TensorFlow.")
        try:
            return node.spec.output_dtypes(node.attrs)
        except KeyError as error:
            raise InvariantError(f"{node.op} {node.name!r} lacks attribute {error}.") from error

    # -- changing edges ---------------------------------------------------------------------------------------------

    def set_inputs(self, node: Node, inputs: Iterable[Value]) -> None:
        """Gives `node` other data inputs."""
        self.edits += 1
        before, node.inputs = node.inputs, tuple(inputs)
        for value in node.inputs:
            value.node.readers[node] = None
        for value in before:
            self._forget(value.node, node)

    def set_controls(self, node: Node, controls: Iterable[Node]) -> None:
        """Gives `node` other control inputs (duplicates and the node itself are dropped)."""
        if not node.controls and not controls:
            return
        before, node.controls = node.controls, tuple(dict.fromkeys(c for c in controls if c is not node))
        for control in node.controls:
            control.readers[node] = None
        for control in before:
            self._forget(control, node)

    @staticmethod
    def _forget(source: Node, reader: Node) -> None:
        if source not in reader.controls and all(v.node is not source for v in reader.inputs):
            source.readers.pop(reader, None)

    def replace_value(self, old: Value, new: Value) -> list[Node]:
        """Lets every reader of `old` and every graph output read `new`; returns the readers that changed."""
        changed = [r for r in old.node.readers if old in r.inputs and r is not new.node]
        for reader in changed:
            self.set_inputs(reader, (new if v == old else v for v in reader.inputs))
        for key, value in self.outputs.items():
            if value == old:
                self.outputs[key] = new
        return changed

    def replace_control(self, old: Node, new: Iterable[Node]) -> None:
        """Lets every node that waits for `old` wait for `new` instead."""
        substitutes = tuple(new)
        for reader in [r for r in old.readers if old in r.controls]:
            controls: list[Node] = []
            for c in reader.controls:
                controls.extend(substitutes if c is old else (c,))
            self.set_controls(reader, controls)

    def remove(self, node: Node) -> None:
        """Removes a node that nobody reads.

        Raises:
            InvariantError: the node still has readers.
        """
        if node.readers:
            raise InvariantError(f"Cannot remove {node!r}: {next(iter(node.readers))!r} reads it.")
        self.set_inputs(node, ())
        self.set_controls(node, ())
        self.keep.pop(node, None)
        self.pinned.discard(node)
        del self.nodes[node.name]

    def rename(self, node: Node, name: str) -> None:
        """Gives a node a name that is free."""
        if name == node.name:
            return
        if name in self.nodes:
            raise InvariantError(f"The name {name!r} is taken.")
        del self.nodes[node.name]
        node.name = name
        self.nodes[name] = node

    # -- asking -----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def has_v1_control_flow(self) -> bool:
        """Whether Switch, Merge or frame ops occur."""
        return any(n.op in CONTROL_FLOW_V1 for n in self)

    def output_nodes(self) -> set[Node]:
        """The nodes that compute outputs."""
        return {v.node for v in self.outputs.values()}

    def held_nodes(self) -> set[Node]:
        """The nodes that callers feed or fetch by name, that run for their effect, or that are pinned."""
        return self.output_nodes() | {v.node for v in self.fed} | set(self.keep) | self.pinned

    def topological(self) -> list[Node]:
        """All nodes, inputs before readers; loops are cut at the back edges into Merge.

        Raises:
            InvariantError: there is a cycle that is not a while loop.
        """
        waiting = {n: _degree(n) for n in self}
        ready = [n for n, count in waiting.items() if count == 0]
        order: list[Node] = []
        while ready:
            node = ready.pop()
            order.append(node)
            for reader in node.readers:
                if reader not in waiting or waiting[reader] <= 0:
                    continue
                waiting[reader] = 0 if _is_back_edge_ready(reader, node) else waiting[reader] - 1
                if waiting[reader] == 0:
                    ready.append(reader)
        if len(order) < len(self.nodes):
            done = set(order)
            stuck = next(n for n in self if n not in done)
            raise InvariantError(f"Graph {self.name!r} has a cycle through node {stuck.name!r}.")
        return order

    def live(self) -> set[Node]:
        """Nodes that outputs, `keep` or `pinned` need."""
        seen: set[Node] = set()
        stack = [*self.output_nodes(), *self.keep, *self.pinned, *self.args, *(v.node for v in self.fed)]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            stack.extend(v.node for v in node.inputs)
            stack.extend(node.controls)
        return seen

    def sweep(self) -> int:
        """Removes what nothing needs; returns how many nodes went."""
        live = self.live()
        dead = [n for n in self if n not in live]
        for node in dead:
            node.readers.clear()
        for node in dead:
            for source in {v.node for v in node.inputs} | set(node.controls):
                source.readers.pop(node, None)
            del self.nodes[node.name]
        return len(dead)

    def clear(self) -> None:
        """Takes the graph apart, arguments kept, so that its constants are freed at once."""
        for node in self:
            node.inputs, node.controls = (), ()
            node.readers.clear()
        self.nodes = {a.name: a for a in self.args}
        self.outputs.clear()
        self.keep.clear()
        self.edits += 1

    def check(self) -> None:
        """Proves the invariants: edges lead to nodes of this graph, ports exist, readers are right, no cycle.

        Raises:
            InvariantError: naming the node.
        """
        for node in self:
            self._check_node(node)
        for key, value in self.outputs.items():
            if self.nodes.get(value.node.name) is not value.node or value.index >= len(value.node.dtypes):
                raise InvariantError(f"Output {key!r} of {self.name!r} is {value}, which the graph does not have.")
        self.topological()

    def _check_node(self, node: Node) -> None:
        for value in node.inputs:
            source = value.node
            if self.nodes.get(source.name) is not source or node not in source.readers:
                raise InvariantError(f"{node!r} reads {value}, which is not in graph {self.name!r}.")
            if value.index >= len(source.dtypes):
                raise InvariantError(f"{node!r} reads {value}, but {source!r} has {len(source.dtypes)} outputs.")
        for control in node.controls:
            if self.nodes.get(control.name) is not control or node not in control.readers:
                raise InvariantError(f"{node!r} waits for {control!r}, which is not in graph {self.name!r}.")
        if node.spec is not None:
            self._check_types(node)

    def _check_types(self, node: Node) -> None:
        assert node.spec is not None
        try:
            wanted = node.spec.input_dtypes(node.attrs)
        except KeyError as error:
            raise InvariantError(f"{node.op} {node.name!r} lacks attribute {error}.") from error
        if len(wanted) != len(node.inputs):
            raise InvariantError(f"{node!r} has {len(node.inputs)} inputs, its op takes {len(wanted)}.")
        for want, value in zip(wanted, node.inputs, strict=True):
            if want.base != value.dtype.base:
                raise InvariantError(f"{node!r} wants {want} but {value} is {value.dtype}.")


def _degree(node: Node) -> int:
    return len({v.node for v in node.inputs} | set(node.controls))


def _is_back_edge_ready(reader: Node, source: Node) -> bool:
    """A loop's Merge may run as soon as it has a value from outside the loop."""
    del source
    return reader.op in ("Merge", "RefMerge") and any(
        v.node.op in ("NextIteration", "RefNextIteration") for v in reader.inputs
    )


def functions_of(node: Node) -> list[Func]:
    """The functions that a node's attributes name."""
    found: list[Func] = []
    for value in node.attrs.values():
        items = value if isinstance(value, tuple) else (value,)
        found.extend(v for v in items if isinstance(v, Func))
    return found
