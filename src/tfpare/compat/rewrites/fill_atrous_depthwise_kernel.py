"""SpaceToBatch, depthwise convolution, BatchToSpace → one depthwise convolution with zeros in its kernel."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, require
from tfpare.compat.rules import transform_rewrite
from tfpare.rewrites.fuse_atrous_conv import atrous_conv, atrous_padding, pad
from tfpare.rewrites.padding import same_padding


@transform_rewrite(atrous_conv("DepthwiseConv2dNative", const("kernel")), effect=Effect.ROUNDING, shares=("split",))
def fill_atrous_depthwise_kernel(
    new: Builder,
    join: Node,
    conv: Node,
    x: Value,
    block: Array,
    paddings: Value,
    block_after: Array,
    crops: Value,
    kernel: Array,
    kernel_value: Value,
) -> Value:
    """BatchToSpaceND(depthwise(SpaceToBatchND(x, r, p), K), r, q) = depthwise(x, K with r − 1 zeros between its taps).

    Before:
        x = input(float32[?,8,8,3])
        block = const(int32, [2,2])
        paddings = const(int32, [[2,2],[2,2]])
        s = SpaceToBatchND(x, block, paddings)
        k = const(float32[3,3,3,1])
        conv = DepthwiseConv2dNative(s, k, strides=[1,1,1,1], padding=VALID)
        crops = const(int32, [[0,0],[0,0]])
        y = BatchToSpaceND(conv, block, crops)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[5,5,3,1])
        y = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)
        return y

    It computes more, so that `optimize` does not do it; a depthwise kernel for dilations exists with oneDNN alone. A
    pixel that is infinite or NaN reaches the outputs whose zero taps meet it, too.

    Declines when: as fuse_atrous_conv; the kernel is not constant or not finite.
    Source: the Graph Transform Tool's flatten_atrous_conv.
    """
    require(np.isfinite(kernel).all(), "the kernel holds NaN or infinity", at=conv)
    total = atrous_padding(new, join, conv, (block, block_after), (paddings, crops), kernel_value)
    height, width = ((n - 1) * int(r) + 1 for n, r in zip(kernel.shape[:2], block, strict=True))
    filled = np.zeros((height, width, *kernel.shape[2:]))
    filled[:: int(block[0]), :: int(block[1])] = kernel
    new_kernel, shape = new.const(filled, kernel_value), join.shapes[0]
    if total.any() and (total == same_padding((height, width), np.array([1, 1]))).all():
        return new.like(conv, x, new_kernel, shape=shape, padding="SAME")
    source = pad(new, x, total) if total.any() else x
    return new.like(conv, source, new_kernel, shape=shape, padding="VALID")
