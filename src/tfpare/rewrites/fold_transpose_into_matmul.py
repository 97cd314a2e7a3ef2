"""Transposes of the operands of a matrix product → its flags."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.ir.types import Attr

_FLAGS = {"MatMul": ("transpose_a", "transpose_b")}
_BATCH_FLAGS = ("adj_x", "adj_y")


@rewrite(op("MatMul | BatchMatMul | BatchMatMulV2 | BatchMatMulV3", bind="product"), effect=Effect.ROUNDING)
def fold_transpose_into_matmul(new: Builder, product: Node) -> Value | None:
    """MatMul(Transpose(a), b) = MatMul(a, b, transpose_a), likewise b, and the last two dimensions in a batch.

    Before:
        a = input(float32[4,?])
        b = input(float32[4,5])
        order = const(int32, [1, 0])
        t = Transpose(a, order)
        y = MatMul(t, b)
        return y

    After:
        a = input(float32[4,?])
        b = input(float32[4,5])
        y = MatMul(a, b, transpose_a=true)
        return y

    Before:
        a = input(float32[?,3,6,4])
        b = input(float32[?,3,5,4])
        order = const(int32, [0, 1, 3, 2])
        t = Transpose(b, order)
        y = BatchMatMulV2(a, t)
        return y

    After:
        a = input(float32[?,3,6,4])
        b = input(float32[?,3,5,4])
        y = BatchMatMulV2(a, b, adj_y=true)
        return y

    Declines when: another node needs the transposed operand; its order is not constant or does more than swap the last
    two dimensions; the numbers are complex and the transpose conjugates where the flag does not, or the reverse.
    Source: Grappler's arithmetic optimizer (FuseTransposesIntoMatMul).
    """
    transposes = [new.producer(v, "Transpose | ConjugateTranspose") for v in product.inputs]
    if not any(transposes):
        return None
    inputs, flags = list(product.inputs), dict[str, Attr]()
    for k, (flag, transpose) in enumerate(zip(_flags(product), transposes, strict=True)):
        if transpose is not None and _folds(new, product, transpose):
            inputs[k], flags[flag] = transpose.inputs[0], not product[flag]
    require(inputs != list(product.inputs), "another node needs the transposed operand", at=product)
    return new.like(product, *inputs, shape=product.shapes[0], **flags)


def _flags(product: Node) -> tuple[str, str]:
    return _FLAGS.get(product.op, _BATCH_FLAGS)


def _folds(new: Builder, product: Node, transpose: Node) -> bool:
    order = new.constant_of(transpose.inputs[1])
    require(order is not None, "the order of the dimensions is not constant", at=transpose)
    assert order is not None
    rank = order.size
    swaps = rank >= 2 and order.tolist() == [*range(rank - 2), rank - 1, rank - 2]
    require(swaps, "the transpose does more than swap the last two dimensions", at=transpose)
    if transpose.dtypes[0].name.startswith("complex"):
        conjugates = transpose.op == "ConjugateTranspose"
        require(conjugates == (product.op != "MatMul"), "the flag and the transpose conjugate differently", at=product)
    return new.can_absorb(transpose.out())
