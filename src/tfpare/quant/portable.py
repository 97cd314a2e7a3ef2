"""The plan in float ops alone: every tensor is rounded to its grid, every kernel to 8 bits; runs anywhere.

The answers are those of the 8-bit kernels up to the order of float sums; the speed is a little less than that of float.
"""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array
from tfpare.quant.moves import moved_inputs
from tfpare.quant.numerics import Grid
from tfpare.quant.planner import Scheme
from tfpare.quant.units import Unit

MADE_BY = "compute_in_int8"


def emit_portable(graph: Graph, scheme: Scheme) -> int:
    """Rewrites the graph; returns the number of units that are rounded as 8-bit kernels would."""
    for unit in scheme.units:
        _round_kernel(graph, unit)
    inside = {n for u in scheme.units for n in u.nodes} | set(scheme.moves)
    for unit in scheme.units:
        readers = list(unit.out.node.readers)
        made = rounded(graph, unit.out, scheme.grids[unit.out])
        for reader in [r for r in readers if unit.out in r.inputs]:
            reread(graph, reader, unit.out, made)
        for key, value in graph.outputs.items():
            if value == unit.out:
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
    axes = (2, 3) if node.op == "DepthwiseConv2dNative" else (unit.kernel.values.ndim - 1,)
    kernel = unit.kernel.dequantized(axes)
    if node.op == "MatMul" and node["transpose_b"]:
        kernel = np.swapaxes(kernel, 0, 1)
    return np.ascontiguousarray(kernel.astype(np.float32))


def _round_kernel(graph: Graph, unit: Unit) -> None:
    node = unit.linear
    value = graph.const(rounded_kernel(unit), name=f"{node.name}/kernel", made_by=MADE_BY)
    value.node.device = node.device
    graph.set_inputs(node, [node.inputs[0], value])
