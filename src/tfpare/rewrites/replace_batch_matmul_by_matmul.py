"""Products of a batch of matrices with one matrix → one matrix product, which TensorFlow fuses with what follows."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite
from tfpare.rewrites.linear import FLOATS
from tfpare.rewrites.rows import multiply_rows


@rewrite(
    op("BatchMatMul | BatchMatMulV2 | BatchMatMulV3", any_("x"), any_("kernel"), bind="product"),
    effect=Effect.ROUNDING,
)
def replace_batch_matmul_by_matmul(new: Builder, product: Node, x: Value, kernel: Value) -> Value | None:
    """x[..., m, k] · W[k, n] = Reshape(Reshape(x, [−1, k]) · W, [..., m, n]).

    All rows together make one product, which is faster than one product a batch, fuses with bias and activation at run
    time, and has a kernel in 8 bits.

    Before:
        x = input(float32[?,6,8])
        k = const(float32[8,4])
        y = BatchMatMulV2(x, k)
        return y

    After:
        x = input(float32[?,6,8])
        rows = const(int32, [-1, 8])
        flat = Reshape(x, rows)
        k = const(float32[8,4])
        p = MatMul(flat, k)
        s = const(int32, [-1, 6, 4])
        y = Reshape(p, s)
        return y

    Declines when: x is read transposed; more than one dimension of x is unknown, or one is 0; the kernel's shape is
    not known; the result has another dtype than the operands, or is no float.
    Source: the definition of the product; Grappler's remapper, which fuses bias and activation with MatMul alone.
    """
    if kernel.shape.rank != 2:
        return None
    require(not product["adj_x"], "x is read transposed", at=product)
    types = {v.dtype.name for v in (x, kernel, product.out())}
    require(len(types) == 1 and types < set(FLOATS), "the operands are no floats of one dtype", at=product)
    transpose = bool(product["adj_y"])
    width = (kernel.shape.dims or (None, None))[0 if transpose else 1]
    require(width is not None, "the kernel's shape is not known", at=product)
    return multiply_rows(new, product, x, kernel, contracted=1, made=(width or 0,), transpose=transpose)
