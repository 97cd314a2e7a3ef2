"""SpaceToBatch, convolution, BatchToSpace → one dilated convolution."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.engine.pattern import Op, Pattern
from tfpare.rewrites.padding import same_padding
from tfpare.rewrites.symbolic_vectors import difference


def atrous_conv(conv: str, kernel: Pattern) -> Op:
    """How TensorFlow writes a dilated convolution of the given op with strided ones."""
    split = op("SpaceToBatchND", any_("x"), const("block"), any_("paddings"), bind="split")
    return op("BatchToSpaceND", op(conv, split, kernel, bind="conv"), const("block_after"), any_("crops"), bind="join")


@rewrite(atrous_conv("Conv2D", any_("kernel")), effect=Effect.ROUNDING, shares=("split",))
def fuse_atrous_conv(
    new: Builder,
    join: Node,
    conv: Node,
    x: Value,
    block: Array,
    paddings: Value,
    block_after: Array,
    crops: Value,
    kernel_value: Value,
) -> Value:
    """BatchToSpaceND(Conv2D(SpaceToBatchND(x, r, p), K), r, q) = Conv2D(x, K, dilations r, padding p − q).

    Before:
        x = input(float32[?,8,8,3])
        block = const(int32, [2,2])
        paddings = const(int32, [[2,4],[2,4]])
        s = SpaceToBatchND(x, block, paddings)
        k = const(float32[3,3,3,4])
        conv = Conv2D(s, k, strides=[1,1,1,1], padding=VALID)
        crops = const(int32, [[0,0],[0,0]])
        y = BatchToSpaceND(conv, block, crops)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,1,1,1], padding=EXPLICIT, explicit_paddings=[0,0,2,4,2,4,0,0], dilations=[1,2,2,1])
        return y

    Before, as the runtime writes it for sizes that it does not know (crops take back what rounds the size up):
        x = input(float32[?,?,8,3])
        block = const(int32, [2,2])
        extra = input(int32)
        two = const(int32, 2)
        zero = const(int32, 0)
        end = AddV2(two, extra)
        rows = Pack(two, end, N=2)
        columns = Pack(two, two, N=2)
        paddings = Pack(rows, columns, N=2)
        s = SpaceToBatchND(x, block, paddings)
        k = const(float32[3,3,3,4])
        conv = Conv2D(s, k, strides=[1,1,1,1], padding=VALID)
        crop_rows = Pack(zero, extra, N=2)
        crop_columns = Pack(zero, zero, N=2)
        crops = Pack(crop_rows, crop_columns, N=2)
        y = BatchToSpaceND(conv, block, crops)
        return y

    After:
        x = input(float32[?,?,8,3])
        k = const(float32[3,3,3,4])
        y = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, dilations=[1,2,2,1])
        return y

    Declines when: a stride or dilation is not 1; the layout is not NHWC; the blocks are not constant and equal;
    p − q is not constant or negative (more is cropped than was padded); another node reads the convolution; the
    kernel is constant and not finite. Around a kernel that is not constant the padding becomes a Pad.
    Source: the Graph Transform Tool's flatten_atrous_conv, which fills the kernel with zeros instead and is wrong for
    VALID convolutions; INC's dilated contraction.
    """
    total = atrous_padding(new, join, conv, (block, block_after), (paddings, crops), kernel_value)
    dilations = (1, int(block[0]), int(block[1]), 1)
    shape, kernel = join.shapes[0], new.constant_of(kernel_value)
    finite = kernel is None or np.isfinite(kernel.astype(np.float64)).all()
    require(finite, "the kernel holds NaN or infinity", at=conv)
    if not total.any():
        return new.like(conv, x, kernel_value, shape=shape, padding="VALID", dilations=dilations)
    if kernel is None:
        padded = pad(new, x, total)
        return new.like(conv, padded, kernel_value, shape=shape, padding="VALID", dilations=dilations)
    if (total == same_padding(kernel.shape[:2], block)).all():
        return new.like(conv, x, kernel_value, shape=shape, padding="SAME", dilations=dilations)
    explicit = (0, 0, *(int(v) for v in total.reshape(-1)), 0, 0)
    return new.like(
        conv, x, kernel_value, shape=shape, padding="EXPLICIT", explicit_paddings=explicit, dilations=dilations
    )


def atrous_padding(
    new: Builder, join: Node, conv: Node, blocks: tuple[Array, Array], pads: tuple[Value, Value], kernel: Value
) -> Array:
    """What the dilated convolution pads before and after each spatial axis ([2, 2]).

    `blocks` are those of SpaceToBatchND and of BatchToSpaceND, `pads` the paddings of the first and the crops of the
    second.

    Raises:
        Declined: see the rules' docstrings.
    """
    plain = conv["strides"] == (1, 1, 1, 1) and conv["dilations"] == (1, 1, 1, 1)
    require(plain and conv["data_format"] == "NHWC", "strides, dilations or layout are unusual", at=conv)
    require(conv["padding"] in ("VALID", "SAME"), "the inner padding is unusual", at=conv)
    require(np.array_equal(*blocks) and blocks[0].shape == (2,), "not two equal blocks of two dimensions", at=join)
    total = difference(new, *pads)
    require(total is not None and total.shape == (2, 2), "paddings minus crops is not known", at=join)
    assert total is not None
    if conv["padding"] == "SAME":
        dims = kernel.shape.dims
        require(dims is not None and None not in dims[:2], "the size of the kernel is not known", at=conv)
        assert dims is not None
        inner = same_padding(tuple(d or 0 for d in dims[:2]), np.array([1, 1]))
        total = total + inner * blocks[0][:, None]
    require((total >= 0).all(), "the crops remove more than was padded", at=join)
    return total


def pad(new: Builder, x: Value, total: Array) -> Value:
    """x with zeros around its spatial axes."""
    rows = [[0, 0], *total.tolist(), [0, 0]]
    return new.op("Pad", x, new.ints(np.array(rows, np.int32)))
