"""The plan in float ops alone: every tensor is rounded to its grid, every kernel to 8 bits; runs anywhere.

The answers are those of the 8-bit kernels up to the order of float sums; the speed is a little less than that of float.
"""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, Attr, dtype
from tfpare.quant.moves import moved_inputs
from tfpare.quant.numerics import Grid
from tfpare.quant.planner import Scheme
from tfpare.quant.units import Unit, channel_axes

MADE_BY = "compute_in_int8"
_BIAS_ADD: dict[str, Attr] = {"T": dtype("float32"), "data_format": "NHWC"}


def emit_portable(graph: Graph, scheme: Scheme) -> int:
    """Rewrites the graph; returns the number of units that are rounded as 8-bit kernels would."""
    results = {unit: _round_kernel(graph, unit) for unit in scheme.units}
    inside = {n for u in scheme.units for n in u.nodes} | set(scheme.moves)
    for unit in scheme.units:
        out = results[unit]
        readers = list(out.node.readers)
        made = rounded(graph, out, scheme.grids[unit.out])
        for reader in [r for r in readers if out in r.inputs]:
            reread(graph, reader, out, made)
        for key, value in graph.outputs.items():
            if value == out:
                graph.outputs[key] = made
    for border in scheme.borders:
        readers = [r for r in border.node.readers if r in inside and _reads(r, border, scheme)]
        made = rounded(graph, border, scheme.grids[border])
        for reader in readers:
            reread(graph, reader, border, made)
    graph.sweep()
    return len(scheme.units)


def _reads(reader: Node, value: Value, scheme: Scheme) -> bool:
    """Whether it reads the value as a number in 8 bits, not as a bias or a shape."""
    if reader in scheme.moves:
        return value in moved_inputs(reader)
    return any(reader in u.nodes and value in (u.x, u.summand) for u in scheme.units)


def reread(graph: Graph, reader: Node, old: Value, new: Value) -> None:
    """Lets a node read another value in the place of one."""
    graph.set_inputs(reader, (new if v == old else v for v in reader.inputs))


def rounded(graph: Graph, value: Value, grid: Grid) -> Value:
    """The value rounded to a grid, in float."""
    node = value.node
    attrs = {"min": float(np.float32(grid.low)), "max": float(np.float32(grid.high)), "num_bits": 8}
    name = f"{node.name}/int8"
    made = graph.add("FakeQuantWithMinMaxArgs", [value], attrs, name=name, device=node.device, made_by=MADE_BY)
    made.shapes = (value.shape,)
    return made.out()


def rounded_kernel(unit: Unit) -> Array:
    """What the 8-bit kernel's numbers stand for, float32 in the layout of the float op."""
    node = unit.linear
    kernel = unit.kernel.dequantized(channel_axes(node))
    if node.op == "MatMul" and node["transpose_b"]:
        kernel = np.swapaxes(kernel, 0, 1)
    return np.ascontiguousarray(kernel.astype(np.float32))


def _round_kernel(graph: Graph, unit: Unit) -> Value:
    """Returns the unit's result."""
    node = unit.linear
    value = graph.const(rounded_kernel(unit), name=f"{node.name}/kernel", made_by=MADE_BY)
    value.node.device = node.device
    graph.set_inputs(node, [node.inputs[0], value])
    if unit.correction is None:
        return unit.out
    return add_correction(graph, unit, correction_of(graph, unit, unit.correction))


def correction_of(graph: Graph, unit: Unit, correction: Array) -> Value:
    """Numbers for the output channels, as a constant beside the linear op."""
    name = f"{unit.name}/correction/bias"
    value = graph.const(correction.astype(np.float32), name=name, made_by=MADE_BY)
    value.node.device = unit.linear.device
    return value


def add_correction(graph: Graph, unit: Unit, correction: Value) -> Value:
    """Adds to what the linear op gives; returns the unit's result."""
    node = unit.linear
    name, inputs = f"{node.name}/correction", [node.out(), correction]
    made = graph.add("BiasAdd", inputs, _BIAS_ADD, name=name, device=node.device, made_by=MADE_BY)
    made.shapes = node.shapes
    graph.replace_value(node.out(), made.out())
    return made.out() if unit.out == node.out() else unit.out
