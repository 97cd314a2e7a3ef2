"""Which float ops have a quantized one, what is copied, and where the quantized kernel would compute something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tfpare.engine.rule import require
from tfpare.ir.graph import Node
from tfpare.ir.types import Shape


@dataclass(frozen=True, slots=True)
class EightBitOp:
    """The quantized counterpart of a float op.

    Attributes:
        op: its name.
        copied: attributes that are the same in both.
        wide_attr: the attribute that holds the type of a 32-bit result; empty where the result has 8 bits.
        is_concat: whether all tensors but one (the axis) are quantized; else `n_floats` leading inputs are.
        check: declines nodes that the quantized kernel would compute otherwise.
    """

    op: str
    check: Callable[[Node], None]
    copied: tuple[str, ...] = ()
    wide_attr: str = ""
    n_floats: int = 1
    is_concat: bool = False


def _check_nothing(node: Node) -> None:
    del node


def _check_layout(node: Node) -> None:
    require(node["data_format"] == "NHWC", "the quantized op has no such data_format", at=node)


def _check_window(node: Node) -> None:
    """Pads and moves over height and width, in the way that the quantized kernels know."""
    _check_layout(node)
    require(node["padding"] in ("SAME", "VALID"), "the quantized op has no explicit padding", at=node)
    for key in ("strides", "ksize") if "ksize" in node.attrs else ("strides",):
        numbers = node[key]
        outer = (numbers[0], numbers[3]) if isinstance(numbers, tuple) else ()
        require(outer == (1, 1), f"the quantized op takes {key} over height and width alone", at=node)


def _check_conv(node: Node) -> None:
    _check_window(node)
    strides, dilations = node["strides"], node["dilations"]
    assert isinstance(strides, tuple)
    assert isinstance(dilations, tuple)
    require(strides[1] == strides[2], "the quantized op takes equal strides alone", at=node)
    require(all(d == 1 for d in dilations), "the quantized op has no dilations", at=node)
    channels, kernel = _dim(node.inputs[0].shape, 3), _dim(node.inputs[1].shape, 2)
    require(channels is not None and channels == kernel, "the convolution is, or may be, grouped", at=node)


def _dim(shape: Shape, axis: int) -> int | None:
    return None if shape.dims is None or len(shape.dims) <= axis else shape.dims[axis]


def _check_broadcast(node: Node) -> None:
    a, b = (v.shape for v in node.inputs)
    require(can_broadcast(a, b), "the quantized op may not know this broadcasting", at=node)


def can_broadcast(a: Shape, b: Shape) -> bool:
    """Whether the quantized Add and Mul surely understand the shapes.

    Their kernels repeat the operand of fewer elements over the other one as it lies in memory. That is right for equal
    shapes and where its dimensions of more than 1 are the other's last ones; it is not for [4, 1] and [4, 5].
    """
    if a.size == 1 or b.size == 1:
        return True
    if a.dims is None or b.dims is None:
        return False
    rank = max(len(a.dims), len(b.dims))
    left, right = ([1] * (rank - len(s.dims or ())) + list(s.dims or ()) for s in (a, b))
    while left and left[-1] is not None and left[-1] == right[-1]:
        left.pop()
        right.pop()
    is_one = [all(d == 1 for d in side) for side in (left, right)]
    # A single differing dimension is equal or 1 when the graph runs, and either is right.
    return any(is_one) or all(d == 1 for d in (*left[:-1], *right[:-1]))


def _check_concat(node: Node) -> None:
    axis = node.inputs[0 if node.op == "Concat" else -1]
    require(axis.constant is not None, "the axis is not constant", at=node)
    assert axis.constant is not None
    require(int(axis.constant) >= 0 or node.shapes[0].rank is not None, "the axis counts from an unknown end", at=node)


def _check_purpose(node: Node) -> None:
    measures = bool(node.readers) and all(r.op in ("Min", "Max", "Requantize") for r in node.readers)
    require(not measures, "it only serves to find a range", at=node)


_SUM = EightBitOp("QuantizedAdd", _check_broadcast, (), "Toutput", 2)
_CONCAT = EightBitOp("QuantizedConcat", _check_concat, ("N",), is_concat=True)
EIGHT_BIT_OPS = {
    "Add": _SUM,
    "AddV2": _SUM,
    "Mul": EightBitOp("QuantizedMul", _check_broadcast, (), "Toutput", 2),
    "BiasAdd": EightBitOp("QuantizedBiasAdd", _check_layout, (), "out_type", 2),
    "Conv2D": EightBitOp("QuantizedConv2D", _check_conv, ("strides", "padding"), "out_type", 2),
    "MatMul": EightBitOp("QuantizedMatMul", _check_nothing, ("transpose_a", "transpose_b"), "Toutput", 2),
    "AvgPool": EightBitOp("QuantizedAvgPool", _check_window, ("ksize", "strides", "padding")),
    "MaxPool": EightBitOp("QuantizedMaxPool", _check_window, ("ksize", "strides", "padding")),
    "Relu": EightBitOp("QuantizedRelu", _check_purpose),
    "Relu6": EightBitOp("QuantizedRelu6", _check_nothing),
    "Reshape": EightBitOp("QuantizedReshape", _check_purpose),
    "ResizeBilinear": EightBitOp("QuantizedResizeBilinear", _check_nothing, ("align_corners", "half_pixel_centers")),
    "Concat": _CONCAT,
    "ConcatV2": _CONCAT,
}
