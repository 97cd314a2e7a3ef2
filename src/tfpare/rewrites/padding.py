"""Shared knowledge of how convolutions pad."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Attr, Node, Shape


def pads_like_same(
    conv: Node, shape: Shape, taps: tuple[int, ...], p: Array, axes: tuple[int, ...], strides: Attr | None = None
) -> bool:
    """Whether SAME padding of an input of this shape gives exactly the paddings p ([axes, 2]).

    `taps` are the kernel's spatial sizes, `axes` where they lie in the input, `strides` instead of the node's own. What
    SAME pads in total depends on the size of the input only where the stride is not 1.
    """
    strides, dilations = conv["strides"] if strides is None else strides, conv["dilations"]
    if not isinstance(strides, tuple) or not isinstance(dilations, tuple):
        return False
    for k, axis in enumerate(axes):
        size = None if shape.dims is None else shape.dims[axis]
        total = same_total(size, taps[k], strides[axis], dilations[axis])
        if total is None or tuple(p[k]) != (total // 2, total - total // 2):
            return False
    return True


def same_total(size: int | None, taps: int, stride: object, dilation: object) -> int | None:
    """How much SAME pads on both sides together; None where that depends on a size that is not known."""
    if not isinstance(stride, int) or not isinstance(dilation, int):
        return None
    extent = (taps - 1) * dilation
    if stride == 1:
        return extent
    return None if size is None else max((-(-size // stride) - 1) * stride + extent + 1 - size, 0)


def pads_nothing(conv: Node, taps: tuple[int, ...]) -> bool:
    """Whether no output of a convolution sees padding: VALID, or a kernel of one tap per axis with SAME."""
    return conv["padding"] == "VALID" or (conv["padding"] == "SAME" and bool(np.all(np.array(taps) == 1)))


def same_padding(taps: tuple[int, ...], dilations: Array) -> Array:
    """What SAME pads before and after each axis of a convolution with strides of 1 ([axes, 2])."""
    extent = (np.array(taps) - 1) * dilations
    return np.stack([extent // 2, extent - extent // 2], axis=1)
