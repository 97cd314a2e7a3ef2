"""What a rule may do: add nodes. Nothing that exists can be changed through it."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from tfpare.engine.effects import Effects
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import typed_attrs
from tfpare.ir.types import UNKNOWN, Array, Attr, DType, Shape, dtype


class Builder:
    """Adds nodes on behalf of one rule at one match; the driver keeps or takes back all of them."""

    def __init__(self, graph: Graph, root: Node, rule: str, effects: Callable[[], Effects] | None = None) -> None:
        self._graph, self._root, self._rule, self._effects = graph, root, rule, effects
        self.added: list[Node] = []
        self.constants: list[Node] = []

    def constant_of(self, value: Value) -> Array | None:
        """The value of a constant that no caller feeds, in its own dtype; None for anything else.

        For ops with any number of inputs (ConcatV2, AddN, Pack), which a pattern cannot list.
        """
        array = None if value in self._graph.fed else value.constant
        if array is not None:
            self.constants.append(value.node)
        return array

    def producer(self, value: Value, ops: str) -> Node | None:
        """The node behind `value` if its op is one of `ops` and the engine lets rules look there, else None.

        It may have other readers; ask `can_absorb` before taking it apart.
        """
        node = value.node
        hidden = value in self._graph.fed or node in self._graph.pinned
        return None if hidden or node.op not in ops.replace("|", " ").split() else node

    def can_absorb(self, value: Value, by: Node | None = None, others: Collection[Node] = ()) -> bool:
        """Whether the node behind `value` may be merged into its reader `by`: nothing else needs it or orders it.

        `by` is the root unless given (a node that the root itself absorbs). `others` read it too and do not matter.
        """
        graph, node = self._graph, value.node
        needed = any(v.node is node for v in (*graph.fed, *graph.outputs.values()))
        free = not (needed or node.controls or node in graph.keep or node in graph.pinned)
        readers = [r for r in node.readers if r not in others]
        return free and readers == [by or self._root] and node.device == self._root.device

    def has_effect(self, value: Value) -> bool:
        """Whether computing `value` does something beyond it, which is lost when nobody reads the value any more."""
        effects = self._effects() if self._effects is not None else Effects(self._graph)
        return effects.behind(value)

    def const(self, array: Array, like: DType | Value | None = None, *, name: str = "") -> Value:
        """A constant; cast once to the dtype `like` (default: the dtype of the root's output).

        Raises:
            OverflowError: a finite number does not fit into the dtype.
        """
        type_ = self._root.dtypes[0] if like is None else like.dtype if isinstance(like, Value) else like
        stored = _cast(np.asarray(array), type_.base)
        base = name or f"{self._root.name}/{self._rule}"
        value = self._graph.const(stored, name=base, type_=type_.base, made_by=self._rule)
        self.added.append(value.node)
        return value

    def ints(self, values: Array | list[int], like: Value | str = "int32") -> Value:
        """An integer constant, of the dtype of `like`."""
        return self.const(np.asarray(values), like.dtype if isinstance(like, Value) else dtype(like))

    def op(self, op: str, *inputs: Value, shape: Shape = UNKNOWN, **attrs: Attr) -> Value:
        """A new node; type attributes that the inputs determine need not be given. Returns its output 0."""
        spec, types = self._graph.registry(op), [v.dtype for v in inputs]
        node = self._graph.add(
            op,
            inputs,
            typed_attrs(spec, types, attrs),
            name=f"{self._root.name}/{op}",
            device=self._root.device,
            made_by=self._rule,
        )
        if shape is not UNKNOWN:
            node.shapes = (shape, *node.shapes[1:])
        self.added.append(node)
        return node.out()

    def like(self, node: Node, *inputs: Value, shape: Shape | None = None, **changes: Attr) -> Value:
        """A copy of `node` with other inputs (and attributes where given)."""
        copy = self._graph.add(
            node.op,
            inputs,
            {**node.attrs, **changes},
            name=node.name,
            dtypes=node.dtypes if "T" not in changes else None,
            shapes=node.shapes if shape is None else (shape, *node.shapes[1:]),
            device=node.device,
            made_by=self._rule,
        )
        self.added.append(copy)
        return copy.out()


def _cast(array: Array, type_: DType) -> Array:
    target = type_.numpy
    assert target is not None
    if array.dtype == target:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        stored = array.astype(target)
    if type_.is_float and not np.array_equal(np.isfinite(array), np.isfinite(stored.astype(np.float64))):
        raise OverflowError(f"the folded constant leaves the range of {type_}")
    return stored
