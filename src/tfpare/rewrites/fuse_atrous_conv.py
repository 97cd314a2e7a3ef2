"""SpaceToBatch, convolution, BatchToSpace → one dilated convolution."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op(
        "BatchToSpaceND",
        op(
            "Conv2D",
            op("SpaceToBatchND", any_("x"), const("block"), const("paddings"), bind="split"),
            const("kernel"),
            bind="conv",
        ),
        const("block"),
        const("crops"),
        bind="join",
    ),
    effect=Effect.ROUNDING,
)
def fuse_atrous_conv(
    new: Builder,
    join: Node,
    conv: Node,
    split: Node,
    x: Value,
    block: Array,
    paddings: Array,
    crops: Array,
    kernel: Array,
    kernel_value: Value,
) -> Value:
    """BatchToSpaceND(Conv2D(SpaceToBatchND(x, r, p), K), r, q) = Conv2D(x, K, dilations r, padding p − q).

    Before:
        x = input(float32[?,8,8,3])
        block = const(int32, [2,2])
        paddings = const(int32, [[2,2],[2,2]])
        s = SpaceToBatchND(x, block, paddings)
        k = const(float32[3,3,3,4])
        conv = Conv2D(s, k, strides=[1,1,1,1], padding=VALID)
        crops = const(int32, [[0,0],[0,0]])
        y = BatchToSpaceND(conv, block, crops)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,1,1,1], padding=EXPLICIT, explicit_paddings=[0,0,2,2,2,2,0,0], dilations=[1,2,2,1])
        return y

    Declines when: a stride or dilation is not 1; the layout is not NHWC; block, paddings or crops are not constant, or
    crop more than was padded; the kernel is not constant or not finite; another node reads an inner node.
    Source: the Graph Transform Tool's flatten_atrous_conv, which fills the kernel with zeros instead and is wrong for
    VALID convolutions; INC's dilated contraction.
    """
    plain = conv["strides"] == (1, 1, 1, 1) and conv["dilations"] == (1, 1, 1, 1)
    require(plain and conv["data_format"] == "NHWC", "strides, dilations or layout are unusual", at=conv)
    require(block.shape == (2,) and paddings.shape == (2, 2) == crops.shape, "not two spatial dimensions", at=split)
    require(np.isfinite(kernel).all(), "the kernel holds NaN or infinity", at=conv)
    require(conv["padding"] in ("VALID", "SAME"), "the inner padding is unusual", at=conv)
    total = paddings - crops
    if conv["padding"] == "SAME":
        taps = np.array(kernel.shape[:2]) - 1
        total = total + np.stack([taps // 2, taps - taps // 2], axis=1) * block[:, None]
    require((total >= 0).all(), "the crops remove more than was padded", at=join)
    explicit = (0, 0, *(int(v) for v in total.reshape(-1)), 0, 0)
    dilations = (1, int(block[0]), int(block[1]), 1)
    if not any(explicit):
        return new.like(conv, x, kernel_value, shape=join.shapes[0], padding="VALID", dilations=dilations)
    return new.like(
        conv, x, kernel_value, shape=join.shapes[0], padding="EXPLICIT", explicit_paddings=explicit, dilations=dilations
    )
