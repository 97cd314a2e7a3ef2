"""Per-channel scales and shifts before the data movement that follows a linear op, so that they meet the linear op."""

from __future__ import annotations

from math import prod

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR, linear_below

BIASED = f"{LINEAR} | BiasAdd"
AFFINE = "Mul | RealDiv | Add | AddV2 | Sub"
FUSED = "FusedBatchNorm | FusedBatchNormV2 | FusedBatchNormV3"


@rewrite(
    op(
        AFFINE,
        op("BatchToSpaceND", op(BIASED, bind="linear_node"), any_("block"), any_("crops"), bind="move"),
        const("c"),
        bind="affine",
    ),
    effect=Effect.EXACT,
)
def move_affine_before_batch_to_space(
    new: Builder, affine: Node, move: Node, linear_node: Node, block: Value, crops: Value, c: Array
) -> Value | None:
    """BatchToSpaceND(linear(x, K))·c = BatchToSpaceND(linear(x, K)·c), likewise +, − and /, for c per channel.

    Before:
        x = input(float32[4,6,6,3])
        k = const(float32[3,3,3,5])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID)
        block = const(int32, [2,2])
        crops = const(int32, [[0,0],[0,0]])
        moved = BatchToSpaceND(conv, block, crops)
        c = const(float32[5])
        y = Mul(moved, c)
        return y

    After:
        x = input(float32[4,6,6,3])
        k = const(float32[3,3,3,5])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID)
        c = const(float32[5])
        m = Mul(conv, c)
        block = const(int32, [2,2])
        crops = const(int32, [[0,0],[0,0]])
        y = BatchToSpaceND(m, block, crops)
        return y

    Declines when: c varies along another dimension than the last; the convolution's layout is NCHW; another node reads
    the moved tensor.
    Source: the Graph Transform Tool's fold_old_batch_norms (BatchToSpaceND form).
    """
    if affine.inputs[0].node is not move and affine.op in ("Sub", "RealDiv"):
        return None
    owner = linear_below(linear_node)
    require(owner.channels_last and owner.rank == 4, "the layout is not NHWC", at=linear_node)
    require(
        _is_last_dimension(c, owner.channels, 4), "the constant does not vary by the last dimension alone", at=affine
    )
    inner = new.op(affine.op, linear_node.out(), new.const(c.reshape(-1) if c.ndim else c))
    return new.like(move, inner, block, crops)


@rewrite(
    op(
        FUSED,
        op("BatchToSpaceND", op(BIASED, bind="linear_node"), any_("block"), any_("crops"), bind="move"),
        any_("gamma"),
        any_("beta"),
        any_("mean"),
        any_("variance"),
        bind="bn",
    ),
    effect=Effect.EXACT,
)
def move_batch_norm_before_batch_to_space(
    new: Builder, bn: Node, move: Node, linear_node: Node, block: Value, crops: Value
) -> Value:
    """bn(BatchToSpaceND(conv(x, K))) = BatchToSpaceND(bn(conv(x, K))), with stored statistics.

    Before:
        x = input(float32[4,6,6,3])
        k = const(float32[3,3,3,1])
        conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)
        block = const(int32, [2,2])
        crops = const(int32, [[0,0],[0,0]])
        moved = BatchToSpaceND(conv, block, crops)
        gamma = const(float32[3])
        beta = const(float32[3])
        mean = const(float32[3])
        variance = const(float32[3])
        y = FusedBatchNormV3(moved, gamma, beta, mean, variance, is_training=false)
        return y

    After:
        x = input(float32[4,6,6,3])
        k = const(float32[3,3,3,1])
        conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)
        gamma = const(float32[3])
        beta = const(float32[3])
        mean = const(float32[3])
        variance = const(float32[3])
        n = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false)
        block = const(int32, [2,2])
        crops = const(int32, [[0,0],[0,0]])
        y = BatchToSpaceND(n, block, crops)
        return y

    Declines when: is_training; the layout is NCHW; another node reads the moved tensor.
    Source: the Graph Transform Tool's fold_old_batch_norms (BatchToSpaceND form).
    """
    require(not bn["is_training"], "batch norm computes its own statistics", at=bn)
    require(bn["data_format"] == "NHWC" and linear_below(linear_node).channels_last, "the layout is not NHWC", at=bn)
    inner = new.like(bn, linear_node.out(), *bn.inputs[1:], shape=linear_node.shapes[0])
    return new.like(move, inner, block, crops)


@rewrite(
    op(AFFINE, op("Squeeze", op(BIASED, bind="linear_node"), bind="move"), const("c"), bind="affine"),
    effect=Effect.EXACT,
)
def move_affine_before_squeeze(new: Builder, affine: Node, move: Node, linear_node: Node, c: Array) -> Value | None:
    """Squeeze(conv(x, K))·c = Squeeze(conv(x, K)·c), likewise +, − and /, for c per channel (Conv1D layers).

    Before:
        x = input(float32[?,1,9,3])
        k = const(float32[1,3,3,5])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        s = Squeeze(conv, squeeze_dims=[1])
        c = const(float32[5])
        y = AddV2(s, c)
        return y

    After:
        x = input(float32[?,1,9,3])
        k = const(float32[1,3,3,5])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[5])
        a = AddV2(conv, c)
        y = Squeeze(a, squeeze_dims=[1])
        return y

    Declines when: the channels are squeezed; the squeezed dimensions are not named; the layout is NCHW; c varies along
    another dimension than the last, or would enlarge the result; another node reads the squeezed tensor.
    Source: Grappler's remapper (convolution + Squeeze + BiasAdd).
    """
    if affine.inputs[0].node is not move and affine.op in ("Sub", "RealDiv"):
        return None
    owner = linear_below(linear_node)
    dims = move["squeeze_dims"]
    require(isinstance(dims, tuple) and len(dims) > 0, "the squeezed dimensions are not named", at=move)
    assert isinstance(dims, tuple)
    last = owner.rank - 1
    require(owner.channels_last and not {last, -1} & set(dims), "the channels are squeezed or not last", at=move)
    rank = owner.rank - len(dims)
    require(
        _is_last_dimension(c, owner.channels, rank), "the constant does not vary by the last dimension alone", at=affine
    )
    inner = new.op(affine.op, linear_node.out(), new.const(c.reshape(-1) if c.ndim else c), shape=linear_node.shapes[0])
    return new.like(move, inner)


@rewrite(
    op(
        AFFINE,
        op("Reshape", op("MatMul | BiasAdd", bind="linear_node"), any_("target"), bind="move"),
        const("c"),
        bind="affine",
    ),
    effect=Effect.EXACT,
)
def move_affine_before_reshape(
    new: Builder, affine: Node, move: Node, linear_node: Node, target: Value, c: Array
) -> Value | None:
    """Reshape(MatMul(x, K))·c = Reshape(MatMul(x, K)·c), likewise +, − and /, whether or not the channels are split.

    Before:
        x = input(float32[6,4])
        k = const(float32[4,5])
        m = MatMul(x, k)
        target = const(int32, [2,3,5])
        r = Reshape(m, target)
        c = const(float32[5])
        y = AddV2(r, c)
        return y

    After:
        x = input(float32[6,4])
        k = const(float32[4,5])
        m = MatMul(x, k)
        c = const(float32[5])
        a = AddV2(m, c)
        target = const(int32, [2,3,5])
        y = Reshape(a, target)
        return y

    Before (the heads of an attention layer):
        x = input(float32[?,4])
        k = const(float32[4,6])
        m = MatMul(x, k)
        target = const(int32, [-1,3,2,3])
        r = Reshape(m, target)
        c = const(float32[2,3])
        y = AddV2(r, c)
        return y

    After:
        x = input(float32[?,4])
        k = const(float32[4,6])
        m = MatMul(x, k)
        c = const(float32[6])
        a = AddV2(m, c)
        target = const(int32, [-1,3,2,3])
        y = Reshape(a, target)
        return y

    Declines when: the last dimensions of the reshaped tensor are not known to be the channels; c varies along another
    dimension or would enlarge the result; another node reads the reshaped tensor.
    Source: dense layers on sequences (Tensordot), whose bias TensorFlow cannot fuse behind a Reshape.
    """
    if affine.inputs[0].node is not move and affine.op in ("Sub", "RealDiv"):
        return None
    owner = linear_below(linear_node)
    require(owner.rank == 2, "no matrix product computes it", at=linear_node)
    dims = move.out().shape.dims
    if dims is None and target.constant is not None:
        dims = tuple(target.constant.reshape(-1).tolist())
    split = _split_channels(dims or (), owner.channels)
    require(split, "the last dimension is not known to stay whole or to be split", at=move)
    c = _in_channels(c, split, len(dims or ()), affine)
    inner = new.op(affine.op, linear_node.out(), new.const(c), shape=linear_node.shapes[0])
    return new.like(move, inner, target)


def _split_channels(dims: tuple[int | None, ...], channels: int) -> tuple[int, ...]:
    """The last dimensions that together are the channels; empty where there are none."""
    split: tuple[int, ...] = ()
    for size in reversed(dims):
        if size is None or size < 1:
            break
        split = (size, *split)
        if prod(split) == channels:
            return split
    return ()


def _in_channels(c: Array, split: tuple[int, ...], rank: int, at: Node) -> Array:
    """A constant that varies along the split channels alone, as one number for each of them ([channels] or scalar).

    Raises:
        Declined: it varies along another dimension, or would enlarge the result.
    """
    if c.ndim == 0:
        return c
    outer, inner = c.shape[: -len(split)], c.shape[-len(split) :]
    padded = (1,) * (len(split) - len(inner)) + inner
    fits = (
        c.ndim <= rank and all(n == 1 for n in outer) and all(a in (1, b) for a, b in zip(padded, split, strict=True))
    )
    require(fits, "the constant does not vary by the last dimension alone", at=at)
    return np.broadcast_to(c.reshape(inner), split).reshape(-1)


def _is_last_dimension(c: Array, channels: int, rank: int) -> bool:
    if c.ndim == 0:
        return True
    return c.ndim <= rank and c.size == channels and int(np.prod(c.shape[:-1])) == 1
