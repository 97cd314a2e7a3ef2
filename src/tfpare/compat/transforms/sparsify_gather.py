"""Lookups in a sparse column of weights → lookups in a hash table that holds what is not zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpare.compat.registry import transform
from tfpare.compat.weights import remove_weight
from tfpare.compat.work import Work
from tfpare.engine.placement import Placement
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel
from tfpare.io.checkpoint import Checkpoint
from tfpare.io.restore_entries import restore_entries
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import variable_key
from tfpare.ir.types import Array, dtype

_ZERO = 1e-5  # the original's threshold: smaller weights are left out
_VARIABLES = ("Variable", "VariableV2")
_MADE_BY = "sparsify_gather"


@transform(effect=Effect.LOSSY)
def sparsify_gather(work: Work, *, group_init_node: str = "group_deps", input_checkpoint: str = "") -> None:
    """Replaces Gather and GatherV2 of [N, 1] float weights by a hash table of those that are at least 1e-5.

    The tables are filled by the node `group_init_node`, which has to run once before anything else; what a SavedModel
    runs when it is loaded fills them, too. Weights of variables come from the checkpoint. A row that is not in the
    table is 0, also beyond N.

    Differs: ids of int32, weights without an Identity and several lookups in one weight work; a lookup that does not
    fit (wider weights, other axes, inside a loop) stays and is said; dense weights stay for whatever an output computes
    from them, where the original takes the operand away; NaN is kept.
    Source: the Graph Transform Tool's sparsify_gather.
    """
    entries = restore_entries(work.proto().node)
    model = work.model()
    graph = model.graphs[0]
    tables = _Tables(graph, _Weights(work, entries, input_checkpoint))
    placement = Placement(graph)
    for node in [n for n in graph if n.op in ("Gather", "GatherV2")]:
        reason = "it runs in a loop" if placement.in_loop(node) else tables.replace(node)
        if reason:
            work.notes.append(f"sparsify_gather leaves {node.name!r}: {reason}")
    if tables.initialisers:
        _group(graph, group_init_node, tables.initialisers)
        for name in model.origin.init_nodes:
            graph.set_controls(graph.nodes[name], [*graph.nodes[name].controls, *tables.initialisers])
        work.notes.append(
            f"sparsify_gather: run {group_init_node!r} once before the first lookup, which fills the tables"
        )
    for weight in tables.weights:
        if graph.nodes.get(weight.name) is weight and not remove_weight(graph, weight):
            work.notes.append(f"sparsify_gather keeps the dense weight {weight.name!r}, which an output needs")


@dataclass(slots=True)
class _Weights:
    """Where the numbers of a weight come from."""

    work: Work
    entries: dict[str, tuple[str, str]]
    prefix: str
    checkpoint: Checkpoint | None = None

    def array(self, node: Node) -> Array:
        """The value of a constant or variable.

        Raises:
            UnsupportedModel: a variable without a value.
        """
        constant = node.out().constant
        if constant is not None:
            return constant
        if not self.prefix:
            variable = self.work.variables.get(variable_key(node))
            if variable is None:
                raise UnsupportedModel(f"{node.name!r} is a variable: name its checkpoint, input_checkpoint=PREFIX.")
            return variable.load()
        if node.name not in self.entries:
            raise UnsupportedModel(f"No RestoreV2 restores the variable {node.name!r}, so its key is not known.")
        self.checkpoint = self.checkpoint or Checkpoint(Path(self.prefix))
        return self.checkpoint.tensor(*self.entries[node.name])


@dataclass(slots=True)
class _Tables:
    """The tables that replace weights, each made once."""

    graph: Graph
    source: _Weights
    made: dict[Node, Node] = field(default_factory=dict[Node, Node])
    initialisers: list[Node] = field(default_factory=list[Node])

    @property
    def weights(self) -> list[Node]:
        """The weights that have a table."""
        return list(self.made)

    def replace(self, gather: Node) -> str:
        """Puts a table lookup in the place of a Gather; returns why not, or nothing."""
        weight = _behind_identities(gather.inputs[0], self.graph)
        if weight is None:
            return "its weights are no constant or variable"
        reason = _unfit(gather, weight)
        if reason:
            return reason
        if weight not in self.made:
            array = self.source.array(weight)
            if array.ndim != 2 or array.shape[1] != 1:
                return f"its weights have the shape {list(array.shape)}, not [N, 1]"
            self.made[weight] = self._table(weight, array.reshape(-1))
        self._look_up(gather, self.made[weight])
        return ""

    def _table(self, weight: Node, values: Array) -> Node:
        graph, name = self.graph, weight.name
        rows = np.flatnonzero(~(np.abs(values) < _ZERO)).astype(np.int64)
        kept = values[rows] if rows.size else np.zeros(1, np.float32)
        keys = graph.const(rows if rows.size else np.zeros(1, np.int64), name=f"{name}/indices", made_by=_MADE_BY)
        numbers = graph.const(kept, name=f"{name}/values", made_by=_MADE_BY)
        attrs = {"key_dtype": dtype("int64"), "value_dtype": dtype("float32")}
        table = graph.add("HashTable", (), attrs, name=f"{name}/HashTable", device=weight.device, made_by=_MADE_BY)
        types = {"Tkey": dtype("int64"), "Tval": dtype("float32")}
        inputs = [table.out(), keys, numbers]
        initialiser = graph.add(
            "InitializeTable", inputs, types, name=f"{name}/InitializeTable", device=weight.device, made_by=_MADE_BY
        )
        self.initialisers.append(initialiser)
        return table

    def _look_up(self, gather: Node, table: Node) -> None:
        graph, name, ids = self.graph, gather.name, gather.inputs[1]

        def add(op: str, inputs: list[Value], base: str, **attrs: object) -> Value:
            types = {k: v if not isinstance(v, str) else dtype(v) for k, v in attrs.items()}
            node = graph.add(op, inputs, types, name=base, device=gather.device, made_by=_MADE_BY)  # type: ignore[arg-type]
            return node.out()

        if ids.dtype.base.name != "int64":
            ids = add("Cast", [ids], f"{name}/Cast", SrcT=ids.dtype.base.name, DstT="int64")
        zero = graph.const(np.array(0, np.float32), name=f"{name}/Const", made_by=_MADE_BY)
        found = add("LookupTableFind", [table.out(), ids, zero], f"{name}/LookupTableFind", Tin="int64", Tout="float32")
        last = graph.const(np.array(-1, np.int32), name=f"{name}/ExpandDims/Const", made_by=_MADE_BY)
        column = add("ExpandDims", [found, last], f"{name}/ExpandDims", T="float32", Tdim="int32")
        graph.set_controls(found.node, gather.controls)
        graph.replace_value(gather.out(), column)
        graph.replace_control(gather, [column.node])
        if gather in graph.keep:
            graph.keep[column.node] = None
        graph.remove(gather)
        graph.rename(column.node, name)


def _behind_identities(value: Value, graph: Graph) -> Node | None:
    while value.node.op == "Identity" and value not in graph.fed and not value.node.controls:
        value = value.node.inputs[0]
    node, free = value.node, value not in graph.fed and not value.node.controls and value.node not in graph.pinned
    return node if free and node.op in ("Const", *_VARIABLES) else None


def _unfit(gather: Node, weight: Node) -> str:
    if weight.dtypes[0].base.name != "float32":
        return f"its weights are {weight.dtypes[0].base}, not float32"
    if gather.inputs[1].dtype.base.name not in ("int32", "int64"):
        return f"its ids are {gather.inputs[1].dtype.base}"
    if gather.op == "GatherV2":
        axis = gather.inputs[2].constant
        if axis is None or int(axis.reshape(-1)[0]) not in (0, -2) or gather["batch_dims"] != 0:
            return "it does not look rows up"
    return ""


def _group(graph: Graph, name: str, initialisers: Iterable[Node]) -> None:
    node = graph.nodes.get(name)
    if node is None:
        node = graph.add("NoOp", (), name=name, made_by=_MADE_BY)
    graph.keep[node] = None
    graph.set_controls(node, [*node.controls, *initialisers])
