"""The zeros around a convolution's input, as numbers per side."""

from __future__ import annotations

from tfpare.ir.graph import Node

Pads = tuple[tuple[int, int], tuple[int, int]]


def needs_padding(node: Node) -> bool:
    """Whether the op pads its input at all."""
    return node.op != "MatMul" and paddings_of(node) != ((0, 0), (0, 0))


def paddings_of(node: Node) -> Pads | None:
    """(top, bottom), (left, right) of a convolution in NHWC; None where they depend on a size that is not known."""
    if node["padding"] == "VALID":
        return (0, 0), (0, 0)
    if node["padding"] == "EXPLICIT":
        given = node["explicit_paddings"]
        assert isinstance(given, tuple)
        top, bottom, left, right = (int(n) for n in given[2:6])  # type: ignore[call-overload]
        return (top, bottom), (left, right)
    sides = [_same(node, axis) for axis in (1, 2)]
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _same(node: Node, axis: int) -> tuple[int, int] | None:
    """SAME: as many as (⌈n / stride⌉ − 1) · stride + reach − n, the odd one behind; reach = (k − 1) · dilation + 1."""
    strides, dilations = node["strides"], node.get("dilations", (1, 1, 1, 1))
    assert isinstance(strides, tuple)
    assert isinstance(dilations, tuple)
    stride, dilation = int(strides[axis]), int(dilations[axis])  # type: ignore[arg-type]
    kernel = node.inputs[1].shape.dims
    assert kernel is not None
    reach = ((kernel[axis - 1] or 1) - 1) * dilation + 1
    dims = node.inputs[0].shape.dims
    size = None if dims is None else dims[axis]
    if reach == 1:
        return 0, 0
    if stride == 1:
        total = reach - 1
    elif size is None:
        return None
    else:
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2
