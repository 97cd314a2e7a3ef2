"""Channels of one tensor made alike in size before it is rounded: what one op is divided by, the next is multiplied by.

    act(x·K + b) · L = act(x·(K / s) + b / s) · (s·L),   s > 0 for each channel, act Relu or nothing

A tensor has one scale for all channels in 8 bits: next to a channel of 100 one of 0.1 is lost. Kernels have a scale
for each output channel, so what moves into them on the left costs nothing, and on the right it is shared between
tensor and kernel. Factors are powers of 2: the float model's answers stay what they are, to the last bit.

Source: Nagel et al. 2019, arXiv:1906.04721, section 4.1 (between layers); Xiao et al. 2023, arXiv:2211.10438 (behind a
normalization, s = max|x|^½ / max|L|^½).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array
from tfpare.passes.base import PassResult
from tfpare.quant.calibrate import tensor_name
from tfpare.quant.moves import moved_inputs
from tfpare.quant.units import Unit, find_units

MADE_BY = "compute_in_int8"
_ADDS, _PARTS = ("AddV2", "Add", "BiasAdd"), ("AddV2", "Add", "BiasAdd", "Mul")


@dataclass(frozen=True, slots=True)
class Joint:
    """A tensor whose channels can be scaled.

    Attributes:
        changed: nodes whose values are scaled with it.
        value: float, channels last.
        made_by: constants that it is proportional to, with the axis of its channels; they are divided.
        read_by: kernels that it is multiplied with, with the axis of its channels; they are multiplied.
        is_free: whether every reader has a scale for each of these channels (depthwise convolutions).
    """

    value: Value
    made_by: tuple[tuple[Node, int, int], ...]
    read_by: tuple[tuple[Node, int], ...]
    is_free: bool
    changed: tuple[Node, ...]


def find_joints(graph: Graph) -> list[Joint]:
    """Every tensor between ops that can take its channels' factors."""
    units = find_units(graph, PassResult())
    by_linear = {u.linear: u for u in units}
    held = graph.held_nodes()
    sources = [(u.out, _of_unit(u)) for u in units if u.summand is None and u.activation in ("", "Relu")]
    sources += [(n.out(), parts) for n in graph if (parts := _of_affine(graph, n, held)) is not None]
    taken = {n for u in units for n in u.nodes}
    found: dict[Value, Joint] = {}
    for value, made_by in sources:
        if made_by is None or value in found or _is_inside(value, taken, units):
            continue
        readers, between = _readers(graph, value, by_linear, held)
        if readers:
            free = all(u.linear.op == "DepthwiseConv2dNative" for u in readers)
            read_by = tuple((u.linear, _input_axis(u)) for u in readers)
            changed = (*(node for node, _, _ in made_by), value.node, *between)
            found[value] = Joint(value, made_by, read_by, free, tuple(dict.fromkeys(changed)))
    return list(found.values())


def _is_inside(value: Value, taken: set[Node], units: Iterable[Unit]) -> bool:
    """Whether a unit goes on with the value by itself."""
    return value.node in taken and all(u.out != value for u in units)


def _of_unit(unit: Unit) -> tuple[tuple[Node, int, int], ...] | None:
    """The kernel and the constants that are added: (node, input, axis of the result's channels)."""
    node = unit.linear
    kernel = node.inputs[1].constant
    if kernel is None:
        return None
    if node.op == "DepthwiseConv2dNative":
        axis = 2 if kernel.shape[3] == 1 else -1
    else:
        axis = 0 if node.op == "MatMul" and node["transpose_b"] else kernel.ndim - 1
    if axis < 0:
        return None
    parts = [(node, 1, axis)]
    for one in unit.nodes[1:]:
        if one.op in _ADDS:
            k = next((k for k, v in enumerate(one.inputs) if v.constant is not None), None)
            constant = None if k is None else one.inputs[k].constant
            if k is None or constant is None or constant.shape[-1:] != (kernel.shape[axis],):
                return None
            parts.append((one, k, constant.ndim - 1))
    return tuple(parts)


def _of_affine(graph: Graph, node: Node, held: set[Node]) -> tuple[tuple[Node, int, int], ...] | None:
    """g·y + b with a constant for each channel, as normalizations end."""
    if node.op not in _ADDS or node.dtypes[0].name != "float32" or len(node.inputs) != 2:
        return None
    product = next((v.node for v in node.inputs if v.node.op == "Mul" and v.constant is None), None)
    if product is None or product in held or len(product.readers) != 1 or product.controls:
        return None
    dims = node.out().shape.dims
    channels = dims[-1] if dims else None
    parts: list[tuple[Node, int, int]] = []
    for one in (product, node):
        k = next((k for k, v in enumerate(one.inputs) if v.constant is not None and v not in graph.fed), None)
        constant = None if k is None else one.inputs[k].constant
        if k is None or constant is None or channels is None or constant.shape != (channels,):
            return None
        parts.append((one, k, 0))
    return tuple(parts)


def _readers(
    graph: Graph, value: Value, by_linear: Mapping[Node, Unit], held: set[Node]
) -> tuple[list[Unit], list[Node]]:
    """The linear ops that read the value, and what leaves channels alone before them; none where somebody else does."""
    found: list[Unit] = []
    between: list[Node] = []
    stack = [value]
    while stack:
        one = stack.pop()
        if one in graph.fed or one.node in held or one in graph.outputs.values():
            return [], []
        for reader in one.node.readers:
            unit = by_linear.get(reader)
            if unit is not None and reader.inputs[0] == one and reader.inputs[1].node not in held:
                found.append(unit)
            elif one in reader.inputs and _keeps_channels(reader, one):
                stack.append(reader.out())
                between.append(reader)
            else:
                return [], []
    return found, between


def _keeps_channels(node: Node, value: Value) -> bool:
    if moved_inputs(node) != (value,) or node.op == "ConcatV2":
        return False
    before, after = value.shape.dims, node.out().shape.dims
    return bool(before and after) and before[-1] is not None and before[-1] == after[-1]  # type: ignore[index]


def _input_axis(unit: Unit) -> int:
    if unit.linear.op == "MatMul":
        return 1 if unit.linear["transpose_b"] else 0
    return 2


def choose_factors(joints: Iterable[Joint], largest: Mapping[Value, Array]) -> dict[str, Array]:
    """Factors by tensor name, powers of 2, [channels] float32; tensors that gain nothing are left out.

    Args:
        joints: of the graph.
        largest: max |x| of each channel of the joints' tensors, [channels].
    """
    found: dict[str, Array] = {}
    for joint in joints:
        seen = largest.get(joint.value)
        if seen is None or not np.isfinite(seen).all() or not seen.any():
            continue
        size = np.maximum(seen.astype(np.float64), seen.max() * 1e-6)
        wanted = size if joint.is_free else np.sqrt(size / _weights(joint, len(size)))
        factors = np.exp2(np.rint(np.log2(wanted / wanted.max()))).astype(np.float32)
        if (factors != 1).any():
            found[tensor_name(joint.value)] = factors
    return found


def _weights(joint: Joint, channels: int) -> Array:
    """The largest weight that any reader multiplies each channel with."""
    largest: Array = np.zeros(channels)
    for node, axis in joint.read_by:
        kernel = node.inputs[1].constant
        assert kernel is not None
        rest = tuple(k for k in range(kernel.ndim) if k != axis)
        largest = np.maximum(largest, np.abs(kernel).max(axis=rest, initial=0.0))
    return np.maximum(largest, max(float(largest.max()) * 1e-6, 1e-30))


def apply_factors(graph: Graph, factors: Mapping[str, Array]) -> list[Node]:
    """Scales the tensors' makers and readers; returns the nodes whose values are scaled, for `rename`."""
    changed: list[Node] = []
    if not factors:
        return changed
    for joint in find_joints(graph):
        chosen = factors.get(tensor_name(joint.value))
        if chosen is None:
            continue
        for node, position, axis in joint.made_by:
            _scale(graph, node, position, 1 / chosen, axis)
        for node, axis in joint.read_by:
            _scale(graph, node, 1, chosen, axis)
        changed.extend(joint.changed)
    graph.sweep()
    return changed


def rename(graph: Graph, changed: Iterable[Node]) -> None:
    """Gives what is left of them other names, so that no name comes to mean another value."""
    for node in dict.fromkeys(changed):
        if graph.nodes.get(node.name) is node:
            graph.rename(node, graph.fresh_name(f"{node.name}/equalized"))


def _scale(graph: Graph, node: Node, position: int, factors: Array, axis: int) -> None:
    old = node.inputs[position]
    constant = old.constant
    assert constant is not None
    shape = [1] * constant.ndim
    shape[axis] = len(factors)
    array = (constant * factors.reshape(shape)).astype(np.float32)
    made = graph.const(array, name=f"{old.node.name}/equalized", made_by=MADE_BY)
    made.node.device = old.node.device
    graph.set_controls(made.node, old.node.controls)
    graph.set_inputs(node, (made if k == position else v for k, v in enumerate(node.inputs)))
