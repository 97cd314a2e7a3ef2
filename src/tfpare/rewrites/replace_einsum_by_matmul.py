"""Einsums that are a dense layer → one matrix product, which TensorFlow fuses with what follows."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.linear import FLOATS
from tfpare.rewrites.rows import multiply_rows


@rewrite(op("Einsum", bind="einsum"), effect=Effect.ROUNDING)
def replace_einsum_by_matmul(new: Builder, einsum: Node) -> Value | None:
    """einsum("btd,dnh→btnh", x, K) = Reshape(Reshape(x, [−1, d]) · Reshape(K, [d, n·h]), [b, t, n, h]).

    x's last indices are summed up, those of K that are left come last in the result; K is turned to that order once.

    Before:
        x = input(float32[?,6,8])
        k = const(float32[8,3,2])
        y = Einsum(x, k, equation="btd,dnh->btnh")
        return y

    After:
        x = input(float32[?,6,8])
        rows = const(int32, [-1, 8])
        flat = Reshape(x, rows)
        k = const(float32[8,6])
        p = MatMul(flat, k)
        s = const(int32, [-1, 6, 3, 2])
        y = Reshape(p, s)
        return y

    Before (several indices are summed up):
        x = input(float32[?,6,3,2])
        k = const(float32[3,2,8])
        y = Einsum(x, k, equation="abcd,cde->abe")
        return y

    After:
        x = input(float32[?,6,3,2])
        rows = const(int32, [-1, 6])
        flat = Reshape(x, rows)
        k = const(float32[6,8])
        p = MatMul(flat, k)
        s = const(int32, [-1, 6, 8])
        y = Reshape(p, s)
        return y

    Declines when: neither operand is constant; an index repeats, is an ellipsis, is shared by both operands and the
    result, or would have to change its place in x or in the result; more than one dimension of x is unknown, or one
    is 0; the dtype is no float.
    Source: the definition of the Einstein summation; Keras' EinsumDense and MultiHeadAttention write dense layers so.
    """
    terms, _, out = str(einsum["equation"]).replace(" ", "").partition("->")
    names = terms.split(",")
    if len(names) != 2 or not out:
        return None
    at = 1 if new.constant_of(einsum.inputs[1]) is not None else 0
    kernel, x = new.constant_of(einsum.inputs[at]), einsum.inputs[1 - at]
    require(kernel is not None, "neither operand is constant", at=einsum)
    require(einsum.dtypes[0].name in FLOATS, f"it computes in {einsum.dtypes[0]}", at=einsum)
    summed, made = _dense_layer(names[1 - at], names[at], out)
    require(summed and made, "it is not a product of x's last indices with a matrix", at=einsum)
    assert kernel is not None
    turned = np.transpose(kernel, [names[at].index(c) for c in summed + made])
    sizes = turned.shape[len(summed) :]
    matrix = new.const(turned.reshape(-1, int(np.prod(sizes))), einsum.inputs[at])
    return multiply_rows(new, einsum, x, matrix, contracted=len(summed), made=sizes)


def _dense_layer(x: str, kernel: str, out: str) -> tuple[str, str]:
    """The indices that are summed up and those that the kernel gives; empty where it is no dense layer."""
    if any("." in term or len(set(term)) != len(term) for term in (x, kernel, out)):
        return "", ""
    summed = "".join(c for c in x if c not in out)
    made = "".join(c for c in out if c not in x)
    rows = x[: len(x) - len(summed)]
    return (
        (summed, made) if rows and (x, out, set(kernel)) == (rows + summed, rows + made, {*summed, *made}) else ("", "")
    )
