"""Shared knowledge of products of many-dimensional values with one matrix: every row meets the same matrix."""

from __future__ import annotations

from math import prod

from tfpare.authoring import Builder, Node, Shape, Value, require


def multiply_rows(
    new: Builder, at: Node, x: Value, kernel: Value, *, contracted: int, made: tuple[int, ...], transpose: bool = False
) -> Value:
    """x[..., k] · W[k, n] = Reshape(Reshape(x, [−1, k]) · W, [..., n]) as a MatMul.

    Args:
        new: adds the nodes.
        at: what they replace.
        x: of known rank.
        kernel: [k, n], or [n, k] with `transpose`.
        contracted: number of x's last dimensions that together are k.
        made: the result's last dimensions, which together are n.
        transpose: whether the matrix is read transposed.

    Raises:
        Declined: more than one of x's dimensions is unknown, or one is 0, so that −1 would have no meaning.
    """
    dims = x.shape.dims
    require(dims is not None and len(dims) > contracted, "the rank is not known", at=at)
    rows, inner = (dims or ())[:-contracted], (dims or ())[-contracted:]
    width, open_ = prod(d or 0 for d in inner), rows.count(None)
    require(open_ <= 1, "more than one dimension is unknown", at=at)
    require(width > 0 and 0 not in rows and 0 not in made, "a dimension is 0, or the summed one unknown", at=at)
    count = None if open_ else prod(d for d in rows if d is not None)
    flat = x
    if len(rows) != 1 or contracted != 1:
        flat = new.op("Reshape", x, new.ints([_target(count), width]), shape=Shape((count, width)))
    product = new.op("MatMul", flat, kernel, transpose_b=transpose, shape=Shape((count, prod(made))))
    if len(rows) == 1 and len(made) == 1:
        return product
    target = new.ints([*(_target(d) for d in rows), *made])
    return new.op("Reshape", product, target, shape=Shape((*rows, *made)))


def _target(size: int | None) -> int:
    return -1 if size is None else size
