"""Shared knowledge of linear ops (convolutions, MatMul): where their output and input channels lie in the kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.authoring import Array, Builder, Node, Value, require

CONVOLUTIONS = "Conv2D | Conv3D | DepthwiseConv2dNative"
LINEAR = f"{CONVOLUTIONS} | Conv2DBackpropInput | MatMul"
KERNEL_INPUT = {"Conv2D": 1, "Conv3D": 1, "DepthwiseConv2dNative": 1, "Conv2DBackpropInput": 1, "MatMul": 1}
FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear node with a constant kernel.

    Attributes:
        kernel: HWIO, DHWIO, HWIM (depthwise), HWOI (transposed) or a matrix; float64.
        channels: number of output channels.
        channels_last: whether the output's channels are its last dimension.
        rank: rank of the output.
    """

    node: Node
    kernel: Array
    kernel_value: Value
    channels: int
    channels_last: bool
    rank: int

    def scaled(self, scale: Array) -> Array:
        """The kernel for output channel c times scale[c] ([channels] or a scalar)."""
        if scale.ndim == 0:
            return self.kernel * scale
        if self.node.op == "DepthwiseConv2dNative":
            return self.kernel * scale.reshape(self.kernel.shape[2:])
        if self.node.op == "Conv2DBackpropInput" or self.node.get("transpose_b", False):
            return self.kernel * (scale[:, None] if self.kernel.ndim > 1 else scale)
        return self.kernel * scale

    def rebuild(self, new: Builder, kernel: Array) -> Value:
        """The same op with another kernel."""
        inputs = list(self.node.inputs)
        inputs[KERNEL_INPUT[self.node.op]] = new.const(kernel, self.kernel_value)
        return new.like(self.node, *inputs)

    def has_layout_of(self, bias: Node) -> bool:
        """Whether a BiasAdd adds along the output channels; a matrix has no layout."""
        return self.rank == 2 or (str(bias["data_format"]) == "NHWC") == self.channels_last

    def bias(self, new: Builder, value: Value, bias: Array) -> Value:
        """value + bias, with one bias per output channel."""
        data_format = "NHWC" if self.channels_last else "NCHW"
        const = new.const(np.broadcast_to(bias, (self.channels,)), value)
        return new.op("BiasAdd", value, const, shape=value.shape, data_format=data_format)


def linear(node: Node) -> Linear:
    """What there is to know of a linear node.

    Raises:
        Declined: its kernel is not constant, or its dtype or layout is not supported.
    """
    kernel_value = node.inputs[KERNEL_INPUT[node.op]]
    constant = kernel_value.constant
    require(constant is not None, "the kernel is not constant", at=node)
    require(kernel_value.dtype.name in FLOATS, f"kernels of {kernel_value.dtype} are not folded", at=node)
    assert constant is not None
    kernel = constant.astype(np.float64)
    require(kernel.ndim == {"MatMul": 2, "Conv3D": 5}.get(node.op, 4), "the kernel has an unusual rank", at=node)
    if node.op == "MatMul":
        channels = kernel.shape[0 if node["transpose_b"] else 1]
        return Linear(node, kernel, kernel_value, channels, True, 2)
    layout = str(node.get("data_format", "NHWC"))
    require(layout in ("NHWC", "NCHW", "NDHWC", "NCDHW"), f"layout {layout} is not supported", at=node)
    channels = {
        "DepthwiseConv2dNative": kernel.shape[2] * kernel.shape[3] if kernel.ndim == 4 else 0,
        "Conv2DBackpropInput": kernel.shape[2] if kernel.ndim == 4 else 0,
    }.get(node.op, kernel.shape[-1])
    return Linear(node, kernel, kernel_value, channels, layout.endswith("C"), kernel.ndim)


def linear_below(node: Node) -> Linear:
    """The linear op that a node is, or whose bias it adds.

    Raises:
        Declined: it is neither, or as `linear`.
    """
    source = node.inputs[0].node if node.op == "BiasAdd" else node
    require(source.op in KERNEL_INPUT, "no linear op computes it", at=node)
    return linear(source)


def per_channel(array: Array, owner: Linear, at: Node) -> Array:
    """A constant operand of an elementwise op as one value per output channel ([channels] or scalar, float64).

    Raises:
        Declined: it varies along another dimension, or broadcasting would enlarge the result.
    """
    if array.ndim == 0 or (array.size == 1 and array.ndim <= owner.rank):
        return array.reshape(())
    axis = array.ndim - 1 if owner.channels_last else array.ndim - (owner.rank - 1)
    fits = 0 <= axis < array.ndim and array.ndim <= owner.rank and array.shape[axis] == owner.channels
    require(fits and array.size == owner.channels, "the constant does not vary by output channel alone", at=at)
    return array.reshape(-1)


def summed(owner: Linear, kernel: Array) -> Array:
    """What a linear op with this kernel, shaped like its own, gives for an input of ones ([channels])."""
    if owner.node.op == "DepthwiseConv2dNative":
        return kernel.sum(axis=(0, 1)).reshape(-1)
    return kernel.sum(axis=1 if owner.node.get("transpose_b", False) else tuple(range(kernel.ndim - 1)))
