"""Resizing and mirror padding before a convolution → the fused ops that TensorFlow has for them.

They exist on CPUs only. For every image of a batch but the first, their kernels return wrong values (in TensorFlow 1.15
as in 2.21), so that the batch has to be known to be one.
"""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, dtype, op, require
from tfpare.compat.rules import transform_rewrite

_FLOATS = ("float16", "float32", "float64")  # dtypes that the fused ops accept


@transform_rewrite(
    op("Conv2D", op("MirrorPad", any_("x"), const("p"), bind="pad"), any_("kernel"), bind="conv"),
    effect=Effect.ROUNDING,
)
def fuse_mirror_pad_into_conv(
    new: Builder, conv: Node, pad: Node, x: Value, p: Array, p_value: Value, kernel: Value
) -> Value:
    """Conv2D(MirrorPad(x, p), K) = FusedPadConv2D(x, p, K).

    Before:
        x = input(float32[1,8,8,3])
        p = const(int32, [[0,0],[1,2],[2,1],[0,0]])
        m = MirrorPad(x, p, mode=REFLECT)
        k = const(float32[3,3,3,4])
        y = Conv2D(m, k, strides=[1,2,2,1], padding=VALID)
        return y

    After:
        x = input(float32[1,8,8,3])
        p = const(int32, [[0,0],[1,2],[2,1],[0,0]])
        k = const(float32[3,3,3,4])
        y = FusedPadConv2D(x, p, k, mode=REFLECT, strides=[1,2,2,1], padding=VALID)
        return y

    Declines when: the batch is not known to be one; the convolution has dilations, explicit padding, another layout
    than NHWC or another dtype than the fused op; it pads with zeros and its kernel is not constant or not finite; the
    paddings are not constant, or pad the batch or the channels; another node reads the padded tensor.
    Source: the Graph Transform Tool's fuse_pad_and_conv.
    """
    _require_plain(new, conv, x)
    paddings = _paddings(new, pad, p, p_value)
    mode, strides, padding = pad["mode"], conv["strides"], conv["padding"]
    return new.op(
        "FusedPadConv2D", x, paddings, kernel, shape=conv.shapes[0], mode=mode, strides=strides, padding=padding
    )


@transform_rewrite(
    op("Conv2D", op("ResizeBilinear", any_("x"), any_("size"), bind="resize"), any_("kernel"), bind="conv"),
    effect=Effect.ROUNDING,
)
def fuse_resize_into_conv(new: Builder, conv: Node, resize: Node, x: Value, size: Value, kernel: Value) -> Value:
    """Conv2D(ResizeBilinear(x, n), K) = FusedResizeAndPadConv2D(x, n, no padding, K).

    Before:
        x = input(float32[1,4,4,3])
        n = const(int32, [8,6])
        r = ResizeBilinear(x, n)
        k = const(float32[3,3,3,4])
        y = Conv2D(r, k, strides=[1,1,1,1], padding=SAME)
        return y

    After:
        x = input(float32[1,4,4,3])
        n = const(int32, [8,6])
        p = const(int32, [[0,0],[0,0],[0,0],[0,0]])
        k = const(float32[3,3,3,4])
        y = FusedResizeAndPadConv2D(x, n, p, k, mode=REFLECT, strides=[1,1,1,1], padding=SAME)
        return y

    Declines when: as fuse_mirror_pad_into_conv; the image is not of the convolution's dtype; pixels are taken at their
    centres, which the fused op does not know.
    Source: the Graph Transform Tool's fuse_resize_and_conv.
    """
    _require_plain(new, conv, x)
    _require_corners(resize, x, conv)
    zero = new.const(np.zeros((4, 2), np.int32), dtype("int32"), name=f"{conv.name}_dummy_paddings")
    return _resized(new, conv, resize, (x, size, zero, kernel), "REFLECT")


@transform_rewrite(
    op(
        "Conv2D",
        op(
            "MirrorPad",
            op("ResizeBilinear", any_("x"), any_("size"), bind="resize"),
            const("p"),
            bind="pad",
        ),
        any_("kernel"),
        bind="conv",
    ),
    effect=Effect.ROUNDING,
)
def fuse_resize_and_mirror_pad_into_conv(
    new: Builder, conv: Node, pad: Node, resize: Node, x: Value, size: Value, p: Array, p_value: Value, kernel: Value
) -> Value:
    """Conv2D(MirrorPad(ResizeBilinear(x, n), p), K) = FusedResizeAndPadConv2D(x, n, p, K).

    Before:
        x = input(float32[1,2,3,2])
        n = const(int32, [12,4])
        r = ResizeBilinear(x, n)
        p = const(int32, [[0,0],[1,1],[2,2],[0,0]])
        m = MirrorPad(r, p, mode=SYMMETRIC)
        k = const(float32[1,2,2,2])
        y = Conv2D(m, k, strides=[1,1,1,1], padding=VALID)
        return y

    After:
        x = input(float32[1,2,3,2])
        n = const(int32, [12,4])
        p = const(int32, [[0,0],[1,1],[2,2],[0,0]])
        k = const(float32[1,2,2,2])
        y = FusedResizeAndPadConv2D(x, n, p, k, mode=SYMMETRIC, strides=[1,1,1,1], padding=VALID)
        return y

    Declines when: as fuse_resize_into_conv and fuse_mirror_pad_into_conv.
    Source: the Graph Transform Tool's fuse_resize_pad_and_conv.
    """
    _require_plain(new, conv, x)
    _require_corners(resize, x, conv)
    paddings = _paddings(new, pad, p, p_value)
    return _resized(new, conv, resize, (x, size, paddings, kernel), str(pad["mode"]))


def _require_plain(new: Builder, conv: Node, image: Value) -> None:
    plain = conv["dilations"] == (1, 1, 1, 1) and conv["data_format"] == "NHWC"
    require(plain and conv["padding"] in ("SAME", "VALID"), "the fused op has no such attribute", at=conv)
    require(conv.dtypes[0].name in _FLOATS, f"the fused op does not take {conv.dtypes[0]}", at=conv)
    one = image.shape.rank == 4 and (image.shape.dims or (None,))[0] == 1
    require(one, "the fused op is right for a batch of one alone", at=conv)
    kernel = new.constant_of(conv.inputs[1])
    finite = kernel is not None and np.isfinite(kernel.astype(np.float64)).all()
    require(finite or conv["padding"] == "VALID", "the kernel may hold NaN or infinity, which zeros show", at=conv)


def _require_corners(resize: Node, image: Value, conv: Node) -> None:
    require(image.dtype.base == conv.dtypes[0].base, "the image is not of the convolution's dtype", at=resize)
    require(not resize["half_pixel_centers"], "the fused op knows no half-pixel centres", at=resize)


def _paddings(new: Builder, pad: Node, p: Array, p_value: Value) -> Value:
    """The paddings as int32, which the fused ops want."""
    require(p.shape == (4, 2) and not p[[0, 3]].any(), "batch or channels are padded", at=pad)
    return p_value if p_value.dtype.name == "int32" else new.ints(p)


def _resized(new: Builder, conv: Node, resize: Node, inputs: tuple[Value, Value, Value, Value], mode: str) -> Value:
    return new.op(
        "FusedResizeAndPadConv2D",
        *inputs,
        shape=conv.shapes[0],
        resize_align_corners=resize["align_corners"],
        mode=mode,
        strides=conv["strides"],
        padding=conv["padding"],
    )
