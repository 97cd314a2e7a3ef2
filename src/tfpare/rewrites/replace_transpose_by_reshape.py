"""Transposes that move dimensions of 1 alone → reshapes, which other rules can merge, or nothing."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Shape, Value, any_, const, op, require, rewrite

# These take a transposed matrix as it is, which a reshaped one is not.
_TAKES_TRANSPOSED = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})


@rewrite(op("Transpose", any_("x"), const("order"), bind="transpose"), effect=Effect.EXACT)
def replace_transpose_by_reshape(new: Builder, transpose: Node, x: Value, order: Array) -> Value | None:
    """Transpose(x, p) = Reshape(x, shape(x)[p]) where the dimensions other than 1 keep their order.

    Before:
        x = input(float32[?,1,4])
        p = const(int32, [1, 0, 2])
        y = Transpose(x, p)
        return y

    After:
        x = input(float32[?,1,4])
        shape = const(int32, [1, -1, 4])
        y = Reshape(x, shape)
        return y

    Before:
        x = input(float32[?,1,1,?])
        p = const(int32, [0, 2, 1, 3])
        t = Transpose(x, p)
        y = Relu(t)
        return y

    After:
        x = input(float32[?,1,1,?])
        y = Relu(x)
        return y

    Declines when: dimensions that may be larger than 1 change places; several are unknown, or one is 0; a MatMul reads
    it, which takes the transposition in.
    Source: Grappler's constant folding (RemoveShuffleOrTranspose).
    """
    dims, axes = x.shape.dims, [int(a) for a in order.ravel()]
    if axes == list(range(len(axes))):
        return None
    require(dims is not None and sorted(axes) == list(range(len(dims))), "the rank is unknown", at=transpose)
    assert dims is not None
    large = [a for a in axes if dims[a] != 1]
    require(large == sorted(large), "dimensions that may be larger than 1 change places", at=transpose)
    if [a if dims[a] != 1 else None for a in axes] == [k if d != 1 else None for k, d in enumerate(dims)]:
        return x
    taken = any(r.op in _TAKES_TRANSPOSED for r in transpose.readers)
    require(not taken, "a MatMul takes the transposition in", at=transpose)
    target = [dims[a] for a in axes]
    require(target.count(None) == 0 or (target.count(None) == 1 and 0 not in target), "the shape is open", at=transpose)
    sizes = new.ints([-1 if d is None else d for d in target])
    return new.op("Reshape", x, sizes, shape=Shape(tuple(target)))
