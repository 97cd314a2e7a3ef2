"""Zero padding before a convolution without padding → the convolution's own."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.padding import pads_like_same


@rewrite(
    op("Conv2D | DepthwiseConv2dNative", op("Pad", any_("x"), const("p"), bind="pad"), const("kernel"), bind="conv"),
    effect=Effect.ROUNDING,
    after=("fold_mul_into_linear",),
)
def fuse_pad_into_conv(
    new: Builder, conv: Node, pad: Node, x: Value, kernel: Array, kernel_value: Value, p: Array
) -> Value:
    """conv(Pad(x, p), K, VALID) = conv(x, K, EXPLICIT p), or SAME where the static shapes make it equal.

    Before:
        x = input(float32[?,8,8,3])
        p = const(int32, [[0,0],[1,1],[1,1],[0,0]])
        padded = Pad(x, p)
        k = const(float32[3,3,3,4])
        y = Conv2D(padded, k, strides=[1,2,2,1], padding=VALID)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,2,2,1], padding=EXPLICIT, explicit_paddings=[0,0,1,1,1,1,0,0])
        return y

    Before, where SAME pads alike:
        x = input(float32[?,8,8,3])
        p = const(int32, [[0,0],[0,1],[0,1],[0,0]])
        padded = Pad(x, p)
        k = const(float32[3,3,3,1])
        y = DepthwiseConv2dNative(padded, k, strides=[1,2,2,1], padding=VALID)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,1])
        y = DepthwiseConv2dNative(x, k, strides=[1,2,2,1], padding=SAME)
        return y

    Declines when: the convolution pads already; the kernel is not constant or not finite; batch or channels are
    padded; another node reads the padded tensor; a depthwise convolution would need explicit padding (not every CPU
    kernel has it).
    Source: Grappler's remapper (Pad+Conv3D), the Graph Transform Tool's fuse_pad_and_conv (mirror padding only).
    """
    require(conv["padding"] == "VALID", "the convolution pads already", at=conv)
    require(np.isfinite(kernel).all(), "the kernel holds NaN or infinity, which padding zeros would show", at=conv)
    layout = str(conv["data_format"])
    height, width = layout.index("H"), layout.index("W")
    require(p.shape == (4, 2) and (p >= 0).all(), "the paddings have an unusual form", at=pad)
    outer = [k for k in range(4) if k not in (height, width)]
    require(not p[outer].any(), "batch or channels are padded", at=pad)
    if pads_like_same(conv, x.shape, kernel.shape, p[[height, width]], (height, width)):
        return new.like(conv, x, kernel_value, padding="SAME")
    require(conv.op == "Conv2D", "explicit padding is not portable for depthwise convolutions", at=conv)
    return new.like(conv, x, kernel_value, padding="EXPLICIT", explicit_paddings=tuple(int(v) for v in p.reshape(-1)))
