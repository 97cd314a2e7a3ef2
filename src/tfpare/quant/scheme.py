"""Which op computes in which precision, and on which grid each 8-bit tensor lies."""

from __future__ import annotations

from collections.abc import Iterable

from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult
from tfpare.quant.bias_correction import correct_bias
from tfpare.quant.logarithms import REASON, feeds_logarithm
from tfpare.quant.moves import moved_inputs
from tfpare.quant.options import QuantOptions
from tfpare.quant.planner import Planner, Ranges, Scheme
from tfpare.quant.units import KernelRounding, Unit, find_units

__all__ = ["Ranges", "Scheme", "candidates", "make_scheme", "wanted_ranges"]


def make_scheme(graph: Graph, ranges: Ranges, options: QuantOptions) -> Scheme:
    """Chooses what is computed in 8 bits and on which grids.

    Args:
        graph: with shapes, after the float pipeline.
        ranges: lowest and highest number of the tensors that `wanted_ranges` names, as far as they are known.
        options: what the user decides.
    """
    result = PassResult()
    units = [correct_bias(u, ranges) if options.correct_bias else u for u in candidates(graph, options, result)]
    planner = Planner(graph, units, ranges, result)
    while not planner.settle():
        pass
    return planner.scheme()


def candidates(graph: Graph, options: QuantOptions, result: PassResult) -> list[Unit]:
    """The units that are to be in 8 bits if their ranges allow it; the others are declined by reason."""
    if graph.has_v1_control_flow:
        result.decline("loops and branches of TF 1 stay in float", graph.name)
        return []
    units = find_units(graph, result, KernelRounding(options.per_channel, bool(options.reduce_range)))
    ends = _ends(units)
    chosen: list[Unit] = []
    for unit in units:
        asked = options.precision_of(unit.name)
        if asked in ("bf16", "fp32"):
            result.decline("float was asked for", unit.name)
        elif not asked and unit in ends and options.ends == "fp32":
            result.decline(f"{ends[unit]} layer", unit.name)
        elif not asked and feeds_logarithm(unit.nodes[-1], linear=not unit.activation):
            result.decline(REASON, unit.name)
        else:
            chosen.append(unit)
    return chosen


def wanted_ranges(units: Iterable[Unit]) -> list[Value]:
    """The tensors whose ranges have to be known: what units read and give, and what those are made of."""
    wanted: dict[Value, None] = {}
    for unit in units:
        for value in (unit.x, unit.summand, unit.out, unit.without_sum().out if unit.summand is not None else None):
            if value is not None:
                _add_sources(value, wanted)
    return list(wanted)


def _add_sources(value: Value, wanted: dict[Value, None]) -> None:
    if value not in wanted:
        wanted[value] = None
        for above in moved_inputs(value.node):
            _add_sources(above, wanted)


def _ends(units: list[Unit]) -> dict[Unit, str]:
    """First layers: nothing linear before them. Last ones: nothing linear behind them."""
    behind = _reached(n for u in units for n in u.linear.readers)
    linear = {u.linear for u in units}
    ends: dict[Unit, str] = {}
    for unit in units:
        if not linear & _reached(unit.linear.readers):
            ends[unit] = "the last"
        elif unit.linear not in behind:
            ends[unit] = "the first"
    return ends


def _reached(start: Iterable[Node]) -> set[Node]:
    """The nodes and all that depends on them."""
    seen: set[Node] = set()
    stack = list(start)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.readers)
    return seen
