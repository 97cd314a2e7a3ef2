"""A stride that skips most of a convolution's results → a stride of that convolution."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Attr, Builder, Effect, Node, Shape, Value, op, require, rewrite
from tfpare.rewrites.elementwise import UNARY
from tfpare.rewrites.padding import pads_like_same, same_padding

_BINARY = "Add | AddV2 | Sub | Mul | Maximum | Minimum | SquaredDifference"
_CONVOLUTIONS = "Conv2D | DepthwiseConv2dNative"
_POOLS = ("AvgPool", "MaxPool")
_MOST_NODES = 32  # that one rewrite copies

Strides = tuple[int, int]


@rewrite(op("Conv2D | AvgPool | MaxPool", bind="reader"), effect=Effect.ROUNDING, after=("fold_mul_into_linear",))
def move_stride_to_earlier_conv(new: Builder, reader: Node) -> Value | None:
    """conv₁ₓ₁,ₛ(act(conv(x, K))) = conv₁ₓ₁(act(convₛ(x, K))): what nobody reads is not computed.

    A residual network whose blocks begin with strided 1×1 convolutions reads a quarter of what the block before gives.
    Other operands of sums on the way are reduced by a pool of one element.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        s = input(float32[?,8,8,4])
        a = AddV2(c, s)
        r = Relu(a)
        l = const(float32[1,1,4,5])
        y = Conv2D(r, l, strides=[1,2,2,1], padding=VALID)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        c = Conv2D(x, k, strides=[1,2,2,1], padding=EXPLICIT, explicit_paddings=[0,0,1,1,1,1,0,0])
        s = input(float32[?,8,8,4])
        p = AvgPool(s, ksize=[1,1,1,1], strides=[1,2,2,1], padding=VALID)
        a = AddV2(c, p)
        r = Relu(a)
        l = const(float32[1,1,4,5])
        y = Conv2D(r, l, strides=[1,1,1,1], padding=VALID)
        return y

    Declines when: another node reads the results, or with other strides; more pools would be needed than there are
    convolutions that compute less; the layout is NCHW.
    Source: our own; ResNet v1 (He et al. 2015) strides in the first 1×1 convolution of a block.
    """
    strides = _skipped(new, reader)
    if strides is None:
        return None
    value = reader.inputs[0]
    if new.producer(value, f"{UNARY} | {_BINARY} | {_CONVOLUTIONS} | BiasAdd") is None:
        return None
    others = [r for r in value.node.readers if r is not reader]
    alike = all(_skipped(new, r) == strides and r.inputs[0] == value for r in others)
    require(alike, "another node reads what would not be computed", at=value.node)
    thinning = _Thinning(new, strides)
    thinned = thinning.of(value, reader, others)
    require(thinning.convolutions, "no convolution could compute less", at=value.node)
    require(thinning.pools <= thinning.convolutions, "more pools would be needed than are worth it", at=value.node)
    if reader.op in _POOLS:
        return thinned
    return new.like(reader, thinned, *reader.inputs[1:], strides=(1, 1, 1, 1), padding="VALID")


def _skipped(new: Builder, node: Node) -> Strides | None:
    """The strides of a node that reads the first of every so many rows and columns and nothing else."""
    if node.op not in ("Conv2D", *_POOLS) or node.get("data_format", "NHWC") != "NHWC":
        return None
    strides = node["strides"]
    if not isinstance(strides, tuple) or node["padding"] not in ("VALID", "SAME"):
        return None
    batch, height, width, channels = strides
    if node.op == "Conv2D":
        kernel = _constant(new, node.inputs[1])
        is_point = kernel is not None and kernel.shape[:2] == (1, 1)
    else:
        is_point = node["ksize"] == (1, 1, 1, 1)
    if not is_point or not isinstance(height, int) or not isinstance(width, int):
        return None
    return (height, width) if batch == channels == 1 and (height, width) != (1, 1) else None


def _constant(new: Builder, value: Value) -> Array | None:
    """The value of a constant that stays an input where it is, and so keeps its own control edges."""
    return None if new.producer(value, "Const") is None else value.constant


class _Thinning:
    """Rebuilds what is above a value for the rows and columns that are read."""

    def __init__(self, new: Builder, strides: Strides) -> None:
        self._new, self._strides, self._left = new, strides, _MOST_NODES
        self.convolutions = self.pools = 0

    def of(self, value: Value, reader: Node, others: list[Node] | None = None) -> Value:
        """The value at every so many rows and columns."""
        dims = value.shape.dims
        if dims is not None and dims[1:3] == (1, 1):
            return value
        if self._left > 0 and value.index == 0 and self._new.can_absorb(value, reader, others or ()):
            self._left -= 1
            made = self._rebuilt(value.node)
            if made is not None:
                return made
        require(value.dtype.is_float, f"pools of {value.dtype} do not exist", at=value.node)
        self.pools += 1
        attrs: dict[str, Attr] = {"ksize": (1, 1, 1, 1), "strides": (1, *self._strides, 1), "padding": "VALID"}
        return self._new.op("AvgPool", value, shape=self._shape(value), **attrs)

    def _rebuilt(self, node: Node) -> Value | None:
        """A copy of a node for fewer rows and columns; None where it cannot be."""
        if (conv := self._new.producer(node.out(), _CONVOLUTIONS)) is not None:
            return self._convolution(conv)
        if self._new.producer(node.out(), UNARY) is not None:
            return self._new.like(node, self.of(node.inputs[0], node), shape=self._shape(node.out()))
        if self._new.producer(node.out(), "BiasAdd") is not None and node["data_format"] == "NHWC":
            thinned = self.of(node.inputs[0], node)
            return self._new.like(node, thinned, node.inputs[1], shape=self._shape(node.out()))
        if self._new.producer(node.out(), _BINARY) is None or not all(self._is_operand(v) for v in node.inputs):
            return None
        operands = [v if self._is_constant(v) else self.of(v, node) for v in node.inputs]
        return self._new.like(node, *operands, shape=self._shape(node.out()))

    def _is_operand(self, value: Value) -> bool:
        """Whether it is the same in all rows and columns, or an image: sizes of 1 are broadcast either way."""
        return self._is_constant(value) or self._is_image(value)

    def _is_image(self, value: Value) -> bool:
        """Whether it surely has rows and columns: its rank is known, or a convolution is at its beginning."""
        if value.shape.rank is not None:
            return value.shape.rank == 4
        stack, seen = [value], {value}
        while stack:
            one = stack.pop()
            if one.shape.rank == 4 or self._new.producer(one, _CONVOLUTIONS) is not None:
                return True
            node = self._new.producer(one, f"{UNARY} | BiasAdd | {_BINARY}")
            above = [v for v in node.inputs if v not in seen] if node is not None else []
            seen.update(above)
            stack.extend(above)
        return False

    def _is_constant(self, value: Value) -> bool:
        array = _constant(self._new, value)
        return array is not None and array.ndim <= 4 and array.shape[-3:-1] in ((), (1,), (1, 1))

    def _convolution(self, node: Node) -> Value | None:
        dilations, kernel = node["dilations"], _constant(self._new, node.inputs[1])
        plain = node["strides"] == (1, 1, 1, 1) and node["data_format"] == "NHWC"
        if kernel is None or not plain or not isinstance(dilations, tuple):
            return None
        if node.op != "Conv2D" and (len(set(self._strides)) > 1 or set(dilations) != {1}):
            return None  # no kernel for it
        attrs: dict[str, Attr] = {"strides": (1, *self._strides, 1)}
        if node["padding"] == "SAME":
            pads = same_padding(kernel.shape[:2], np.array(dilations[1:3]))
            if not pads.any():
                attrs["padding"] = "VALID"
            elif not pads_like_same(node, node.inputs[0].shape, kernel.shape, pads, (1, 2), attrs["strides"]):
                if node.op != "Conv2D":  # explicit padding of depthwise convolutions is not portable
                    return None
                flat = (int(n) for n in pads.reshape(-1))
                attrs |= {"padding": "EXPLICIT", "explicit_paddings": (0, 0, *flat, 0, 0)}
        self.convolutions += 1
        return self._new.like(node, *node.inputs, shape=self._shape(node.out()), **attrs)

    def _shape(self, value: Value) -> Shape:
        dims = value.shape.dims
        if dims is None or len(dims) != 4:
            return value.shape
        rows, columns = (None if n is None else -(-n // s) for n, s in zip(dims[1:3], self._strides, strict=True))
        return Shape((dims[0], rows, columns, dims[3]))
