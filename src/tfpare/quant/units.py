"""Units: a linear op with the bias, the residual sum and the activation that one 8-bit kernel computes with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tfpare.engine.rule import Declined, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array
from tfpare.passes.base import PassResult
from tfpare.quant.batch import BatchSources
from tfpare.quant.numerics import REDUCED_LIMIT, WEIGHT_LIMIT, QuantizedKernel, quantize_kernel
from tfpare.rewrites.linear import Linear, linear, per_channel

LINEAR_OPS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
SATURATING_OPS = ("Conv2D", "MatMul")  # depthwise kernels multiply in 32 bits where there is no VNNI
OTHER_LINEAR_OPS = ("Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2", "BatchMatMulV2", "BatchMatMul", "Einsum")
_ADDS = ("BiasAdd", "Add", "AddV2")
_ACTIVATIONS = ("Relu", "Relu6")


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """act(linear(x, K) + bias + summand).

    Attributes:
        linear: the convolution or MatMul.
        kernel: HWIO, HWIM (depthwise) or [in, out], in 8 bits.
        bias: [channels] float64.
        summand: a value of the result's shape that is added, None where there is none.
        activation: `Relu`, `Relu6` or empty.
        nodes: what the unit replaces, the linear op first.
        sum_at: position of the addition of the summand among them.
        correction: what is added to the bias because the kernel is rounded, [channels] float64; None for nothing.
    """

    linear: Node
    kernel: QuantizedKernel
    bias: Array
    summand: Value | None
    activation: str
    nodes: tuple[Node, ...]
    sum_at: int = 0
    correction: Array | None = None

    @property
    def x(self) -> Value:
        """The linear op's input."""
        return self.linear.inputs[0]

    @property
    def out(self) -> Value:
        """What the last node gives."""
        return self.nodes[-1].out()

    @property
    def name(self) -> str:
        """The linear op's name, by which users know the layer."""
        return self.linear.name

    def without_sum(self) -> Unit:
        """The part before the residual sum, which is then added in float."""
        return replace(self, summand=None, activation="", nodes=self.nodes[: self.sum_at], sum_at=0)


@dataclass(frozen=True, slots=True)
class KernelRounding:
    """How kernels become 8-bit numbers.

    Attributes:
        per_channel: whether each output channel has a scale of its own.
        reduce_range: whether those of `SATURATING_OPS` use −64…64.
    """

    per_channel: bool = True
    reduce_range: bool = False

    def limit(self, op: str) -> int:
        """The largest magnitude of a weight."""
        return REDUCED_LIMIT if self.reduce_range and op in SATURATING_OPS else WEIGHT_LIMIT


_FULL_RANGE = KernelRounding()


def find_units(graph: Graph, result: PassResult, rounding: KernelRounding = _FULL_RANGE) -> list[Unit]:
    """Every linear op that an 8-bit kernel can compute, inputs before readers; the others are declined by reason.

    Args:
        graph: with shapes.
        result: counts what is declined.
        rounding: of kernels.
    """
    units: list[Unit] = []
    taken: set[Node] = set()
    needed = graph.held_nodes()
    batches = BatchSources(graph)
    for node in graph.topological():
        if node.op in OTHER_LINEAR_OPS and node.dtypes[0].name == "float32":
            result.decline(f"{node.op} has no 8-bit kernel", node.name)
        if node.op not in LINEAR_OPS:
            continue
        try:
            unit = _unit(graph, node, needed, taken, batches, rounding)
        except Declined as declined:
            result.decline(declined.reason, node.name)
            continue
        taken.update(unit.nodes)
        units.append(unit)
    return units


def _unit(
    graph: Graph, node: Node, needed: set[Node], taken: set[Node], batches: BatchSources, rounding: KernelRounding
) -> Unit:
    require(node.dtypes[0].name == "float32", f"it computes in {node.dtypes[0]}", at=node)
    require(node not in graph.pinned and node.out() not in graph.fed, "callers replace its value", at=node)
    require(node.inputs[1] not in graph.fed, "callers feed its kernel", at=node)
    require(not node.inputs[1].node.controls, "control edges lead to it", at=node)
    owner = linear(node)
    _check_layout(owner)
    kernel = _kernel(node, rounding)
    bias, summand, activation = np.zeros(owner.channels), None, ""
    nodes, sum_at = [node], 0
    for reader in _chain(graph, node, needed):
        if reader in taken:
            break
        if reader.op in _ACTIVATIONS:
            nodes.append(reader)
            activation = reader.op
            break
        other = reader.inputs[1] if reader.inputs[0].node is nodes[-1] else reader.inputs[0]
        added = _as_bias(owner, reader, other) if summand is None and other not in graph.fed else None
        if added is not None:
            bias = bias + added
        elif (
            reader.op != "BiasAdd"
            and summand is None
            and node.op == "Conv2D"
            and _can_be_summed(nodes[-1].out(), other, batches)
        ):
            summand, sum_at = other, len(nodes)
        else:
            break
        nodes.append(reader)
    return Unit(node, kernel, bias, summand, activation, tuple(nodes), sum_at)


def _chain(graph: Graph, node: Node, needed: set[Node]) -> Iterator[Node]:
    """The readers below a node as long as each is the only one, and nothing else needs or orders the value."""
    while node not in needed and not node.controls and len(node.readers) == 1:
        reader = next(iter(node.readers))
        plain = node not in reader.controls and reader.inputs.count(node.out()) == 1
        known = reader.op in _ADDS or reader.op in _ACTIVATIONS
        free = not reader.controls and reader not in graph.pinned and reader.out() not in graph.fed
        if not (plain and known and free) or reader.device != node.device:
            return
        yield reader
        node = reader


def _check_layout(owner: Linear) -> None:
    node = owner.node
    require(owner.channels_last, "its layout is NCHW; 8-bit kernels take NHWC", at=node)
    require(not node.controls, "it waits for control inputs", at=node)
    if node.op == "MatMul":
        require(not node["transpose_a"], "its input is transposed", at=node)
        return
    strides, dilations = node["strides"], node.get("dilations", (1, 1, 1, 1))
    assert isinstance(strides, tuple)
    assert isinstance(dilations, tuple)
    require(strides[0] == strides[3] == 1 and dilations[0] == dilations[3] == 1, "its strides are unusual", at=node)
    dims = node.inputs[0].shape.dims
    known = dims is not None and len(dims) == 4 and dims[3] == _size(owner.kernel, 2)
    require(known, "it is grouped, or its input's channels are not known", at=node)
    if node.op == "DepthwiseConv2dNative":
        require(_size(owner.kernel, 3) == 1, "its depth multiplier is not 1", at=node)
        require(set(dilations) == {1}, "it is depthwise and dilated", at=node)


def _size(array: Array, axis: int) -> int:
    return int(array.shape[axis])


def float_kernel(node: Node) -> Array:
    """The kernel of a linear op, HWIO, HWIM (depthwise) or [in, out]."""
    kernel = linear(node).kernel
    return np.swapaxes(kernel, 0, 1) if node.op == "MatMul" and node["transpose_b"] else kernel


def channel_axes(node: Node) -> tuple[int, ...]:
    """The axes of that kernel that the output channels lie along."""
    return {"Conv2D": (3,), "DepthwiseConv2dNative": (2, 3), "MatMul": (1,)}[node.op]


def _kernel(node: Node, rounding: KernelRounding) -> QuantizedKernel:
    kernel = float_kernel(node)
    require(kernel.size > 0, "its kernel is empty", at=node)
    try:
        axes, limit = channel_axes(node), rounding.limit(node.op)
        return quantize_kernel(kernel, axes, per_channel=rounding.per_channel, limit=limit)
    except ValueError as error:
        raise Declined(str(error), node) from error


def _as_bias(owner: Linear, reader: Node, other: Value) -> Array | None:
    """A constant operand as one number per output channel."""
    constant = other.constant
    if constant is None or other.node.controls or other.dtype.name != "float32":
        return None
    if not np.isfinite(constant).all():
        return None
    if reader.op == "BiasAdd":
        return constant.astype(np.float64) if owner.has_layout_of(reader) else None
    try:
        added = per_channel(constant.astype(np.float64), owner, reader)
    except Declined:
        return None
    return np.broadcast_to(added, (owner.channels,))


def _can_be_summed(mine: Value, other: Value, batches: BatchSources) -> bool:
    """Whether both operands surely have one shape: the kernel writes the sum over its summand."""
    dims, others = mine.shape.dims, other.shape.dims
    if other.constant is not None or dims is None or others is None or len(dims) != 4:
        return False
    if None in dims[1:] or dims[1:] != others[1:]:
        return False
    return dims[0] == others[0] and (dims[0] is not None or batches.same(mine, other))
