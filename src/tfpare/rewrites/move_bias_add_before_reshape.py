"""A bias behind the Reshape of a matrix product → before it, where TensorFlow fuses it at run time."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(
    op("BiasAdd", op("Reshape", op("MatMul", bind="product"), any_("shape"), bind="reshape"), any_("bias"), bind="add"),
    effect=Effect.EXACT,
)
def move_bias_add_before_reshape(
    new: Builder, add: Node, product: Node, reshape: Node, shape: Value, bias: Value
) -> Value:
    """BiasAdd(Reshape(x·W, s), b) = Reshape(BiasAdd(x·W, b), s), where the Reshape keeps the last dimension.

    So are dense layers on sequences written: the product has rank 2.

    Before:
        x = input(float32[?,8])
        k = const(float32[8,4])
        p = MatMul(x, k)
        s = const(int32, [-1, 3, 4])
        r = Reshape(p, s)
        b = const(float32[4])
        y = BiasAdd(r, b)
        return y

    After:
        x = input(float32[?,8])
        k = const(float32[8,4])
        p = MatMul(x, k)
        b = const(float32[4])
        a = BiasAdd(p, b)
        s = const(int32, [-1, 3, 4])
        y = Reshape(a, s)
        return y

    Declines when: the bias is along another dimension (NCHW); the Reshape changes the last dimension, or one of
    them is not known.
    Source: Grappler's remapper, which fuses MatMul + BiasAdd + activation, and only where nothing is between them.
    """
    require(add["data_format"] == "NHWC", "the bias is along another dimension", at=add)
    width, target = product.inputs[1].shape.dims, new.constant_of(shape)
    require(width is not None and len(width) == 2, "the product's last dimension is unknown", at=product)
    require(target is not None and target.size > 0, "the Reshape's target is computed", at=reshape)
    last = (width or (None, None))[0 if product["transpose_b"] else 1]
    require(last == int(np.asarray(target)[-1]), "the Reshape changes the last dimension", at=reshape)
    return new.like(reshape, new.like(add, product.out(), bias, shape=product.shapes[0]), shape)
