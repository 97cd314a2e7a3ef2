"""The plan as a float graph in which every layer's rounding can be switched on: one graph answers for all choices.

With a flag f for a unit, each tensor that its 8-bit kernel would round is `SelectV2(f, round(t), t)`: the kernel, the
inputs and the result. The rounding is that of `tfpare.quant.portable`.
"""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node, Value
from tfpare.quant.planner import Scheme
from tfpare.quant.portable import add_correction, correction_of, reread, rounded, rounded_kernel
from tfpare.quant.units import Unit
from tfpare.tuning.switches import Layer, add_flag, add_select


def emit_switched(graph: Graph, scheme: Scheme) -> list[Layer]:
    """Rewrites the graph; returns a layer for each unit of the plan."""
    flags = [add_flag(graph, unit.name) for unit in scheme.units]
    layers = [Layer(u.name, u.linear.op, (u.name,), f) for u, f in zip(scheme.units, flags, strict=True)]
    reads = [_read_by(unit) for unit in scheme.units]  # before they read switched values
    for unit, flag in zip(scheme.units, flags, strict=True):
        _switch(graph, flag, unit.out, scheme, [r for r in unit.out.node.readers if unit.out in r.inputs], True)
    for unit, flag, read in zip(scheme.units, flags, reads, strict=True):
        for value, reader in read:
            _switch(graph, flag, value, scheme, [reader], False)
        kernel = graph.const(rounded_kernel(unit), name=f"{unit.name}/kernel", made_by="compute_in_int8")
        _replace_kernel(graph, unit, add_select(graph, flag, kernel, unit.linear.inputs[1]))
        if unit.correction is not None:
            correction, none = (correction_of(graph, unit, c) for c in (unit.correction, 0 * unit.correction))
            add_correction(graph, unit, add_select(graph, flag, correction, none))
    return layers


def _read_by(unit: Unit) -> list[tuple[Value, Node]]:
    """What the unit reads in 8 bits, as the plan calls it, and which of its nodes does."""
    found = [(unit.x, unit.linear)]
    return found if unit.summand is None else [*found, (unit.summand, unit.nodes[unit.sum_at])]


def _switch(graph: Graph, flag: Value, value: Value, scheme: Scheme, readers: list[Node], is_result: bool) -> None:
    """Lets the readers read the value rounded where the flag is set."""
    source = next((v for r in readers for v in r.inputs if _is(v, value)), value)
    chosen = add_select(graph, flag, rounded(graph, source, scheme.grids[value]), source)
    for reader in readers:
        reread(graph, reader, source, chosen)
    if is_result:
        for key, output in graph.outputs.items():
            if output == value:
                graph.outputs[key] = chosen


def _is(read: Value, value: Value) -> bool:
    """Whether a reader's input is the value, or the value behind the switch of the unit that gives it."""
    return read == value or (read.node.op == "SelectV2" and read.node.inputs[2] == value)


def _replace_kernel(graph: Graph, unit: Unit, kernel: Value) -> None:
    graph.set_inputs(unit.linear, [unit.linear.inputs[0], kernel, *unit.linear.inputs[2:]])
