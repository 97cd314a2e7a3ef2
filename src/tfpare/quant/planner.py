"""From the units that might be in 8 bits to a plan that holds together: borders, grids, padding, sums in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult
from tfpare.quant.moves import SHAPES, moved_inputs
from tfpare.quant.numerics import Grid, grid_of
from tfpare.quant.padding import needs_padding, paddings_of
from tfpare.quant.units import Unit

Ranges = Mapping[Value, tuple[float, float]]
# Tensors that are concatenated share a grid. One that needs less than an eighth of it has lost three of its eight bits.
_LARGEST_LOSS = 8.0


@dataclass(slots=True)
class Scheme:
    """The plan for one graph.

    Attributes:
        units: what 8-bit kernels compute, inputs before readers.
        moves: ops that pass 8-bit numbers on, inputs before readers.
        borders: float tensors that are quantized before 8-bit kernels read them.
        grids: of every tensor that exists in 8 bits.
        result: counts what stays in float, by reason.
    """

    units: list[Unit] = field(default_factory=list[Unit])
    moves: list[Node] = field(default_factory=list[Node])
    borders: list[Value] = field(default_factory=list[Value])
    grids: dict[Value, Grid] = field(default_factory=dict[Value, Grid])
    result: PassResult = field(default_factory=PassResult)


class Planner:
    """Takes back what cannot be until the rest can.

    Args:
        graph: with shapes.
        units: candidates, inputs before readers.
        ranges: lowest and highest number by tensor.
        result: counts what is taken back.
    """

    def __init__(self, graph: Graph, units: Iterable[Unit], ranges: Ranges, result: PassResult) -> None:
        self._graph, self._units, self._ranges, self._result = graph, list(units), ranges, result
        self._apart: set[Node] = set()  # concatenations whose inputs are too different for one grid
        self._outs: dict[Value, Unit] = {}
        self._moves: set[Node] = set()
        self._borders: dict[Value, None] = {}
        self._grids: dict[Value, Grid] = {}

    def settle(self) -> bool:
        """Plans with the units that are left; False where that took one back."""
        self._outs = {u.out: u for u in self._units}
        self._moves, self._borders = set(), {}
        for unit in self._units:
            for value in (unit.x, unit.summand):
                if value is not None:
                    self._need(value)
        return self._drop_unknown() and self._share_grids() and self._drop_unpadded() and self._split_sums()

    def scheme(self) -> Scheme:
        """The plan."""
        moves = [n for n in self._graph.topological() if n in self._moves]
        return Scheme(self._units, moves, list(self._borders), self._grids, self._result)

    # -- which tensors are in 8 bits ---------------------------------------------------------------------------------

    def _need(self, value: Value) -> None:
        if value in self._outs or value in self._borders or value.node in self._moves:
            return
        if self._comes_in_8_bits(value):
            self._moves.add(value.node)
            for above in moved_inputs(value.node):
                self._need(above)
        else:
            self._borders[value] = None

    def _comes_in_8_bits(self, value: Value) -> bool:
        """Whether an op passes on what some unit gave."""
        node = value.node
        hidden = value in self._graph.fed or node in self._graph.pinned or bool(node.controls) or node in self._apart
        return not hidden and any(v in self._outs or self._comes_in_8_bits(v) for v in moved_inputs(node))

    def _drop_unknown(self) -> bool:
        """A unit needs the range of what it reads and gives."""
        kept: list[Unit] = []
        for unit in self._units:
            values = [unit.out, *(v for v in (unit.x, unit.summand) if v is not None and v in self._borders)]
            if all(self._grid([v]) is not None for v in values):
                kept.append(unit)
            else:
                self._result.decline("no range is known for what it reads or gives", unit.name)
        done = len(kept) == len(self._units)
        self._units = kept
        return done

    def _grid(self, values: Iterable[Value]) -> Grid | None:
        try:
            ranges = [self._ranges[v] for v in values]
            return grid_of(min(low for low, _ in ranges), max(high for _, high in ranges))
        except (KeyError, ValueError):
            return None

    # -- grids -------------------------------------------------------------------------------------------------------

    def _share_grids(self) -> bool:
        """Tensors that ops only pass on have the grid of where they come from; those of a Concat one for all."""
        parent: dict[Value, Value] = {}

        def find(value: Value) -> Value:
            while parent.setdefault(value, value) != value:
                value = parent[value]
            return value

        for node in self._moves:
            for above in moved_inputs(node):
                parent[find(above)] = find(node.out())
        makers = [v for v in (*self._outs, *self._borders) if self._grid([v]) is not None]
        classes: dict[Value, list[Value]] = {}
        for value in makers:
            classes.setdefault(find(value), []).append(value)
        shared = {root: self._grid(members) for root, members in classes.items()}
        for root, members in classes.items():
            if self._is_too_coarse(shared[root], members) and self._part(find, root):
                return False
        all_values = [*makers, *(n.out() for n in self._moves)]
        self._grids = {v: g for v in all_values if (g := shared.get(find(v))) is not None}
        return True

    def _is_too_coarse(self, shared: Grid | None, members: list[Value]) -> bool:
        own = [g for g in (self._grid([v]) for v in members) if g is not None]
        return shared is None or any(shared.scale > _LARGEST_LOSS * g.scale for g in own)

    def _part(self, find: object, root: Value) -> bool:
        """Leaves the concatenations of a class in float."""
        assert callable(find)
        concats = [n for n in self._moves if n.op == "ConcatV2" and find(n.out()) == root]
        for node in concats:
            self._result.decline("the tensors that it joins need grids of their own", node.name)
        self._apart.update(concats)
        return bool(concats)

    # -- what kernels demand -----------------------------------------------------------------------------------------

    def _drop_unpadded(self) -> bool:
        """Kernels pad with the number 0, which is the value 0 only on a grid without a zero point."""
        for unit in self._units:
            shifted = self._grids[unit.x].zero_point != 0
            if shifted and needs_padding(unit.linear) and paddings_of(unit.linear) is None:
                self._result.decline("its input is signed, and its padding not known before it runs", unit.name)
                self._units.remove(unit)
                return False
        return True

    def _split_sums(self) -> bool:
        """Kernels write a sum over its summand: nobody else may want that any more."""
        for position, unit in enumerate(self._units):
            if unit.summand is not None and not self._is_last_reader(unit, unit.summand):
                self._result.decline("its summand is read elsewhere, so the sum is not part of it", unit.name)
                self._units[position] = unit.without_sum()
                return False
        return True

    def _is_last_reader(self, unit: Unit, summand: Value) -> bool:
        if summand.node.op in SHAPES or summand.constant is not None or summand in self._graph.outputs.values():
            return False
        before = _ancestors(unit.linear)
        mine = unit.nodes[unit.sum_at]
        return all(r in before for r in self._readers(summand) if r is not mine)

    def _readers(self, value: Value) -> set[Node]:
        """Who reads a tensor's memory in 8 bits: also the readers of another shape of it."""
        found: set[Node] = set()
        for reader in value.node.readers:
            if value not in reader.inputs and reader not in value.node.readers:
                continue
            if value in self._borders and not self._reads_in_8_bits(reader, value):
                continue
            found.add(reader)
            if reader in self._moves and reader.op in SHAPES:
                found |= self._readers(reader.out())
                if reader.out() in self._graph.outputs.values():
                    found.add(value.node)  # lives on: never an ancestor that is done with it
        return found

    def _reads_in_8_bits(self, reader: Node, value: Value) -> bool:
        return reader in self._moves or any(reader in u.nodes and value in (u.x, u.summand) for u in self._units)


def _ancestors(node: Node) -> set[Node]:
    """All nodes that surely have run before."""
    seen: set[Node] = set()
    stack = [*(v.node for v in node.inputs), *node.controls]
    while stack:
        one = stack.pop()
        if one not in seen:
            seen.add(one)
            stack.extend([*(v.node for v in one.inputs), *one.controls])
    return seen
