"""The size of a TensorArray that cannot grow → a constant."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op("TensorArraySizeV3", op("TensorArrayV3", const("size"), bind="array"), any_("flow")),
    effect=Effect.EXACT,
    shares=("array",),
)
def fold_tensor_array_size(new: Builder, array: Node, size: Array) -> Value:
    """TensorArraySizeV3(TensorArrayV3(n)) = n.

    Before:
        n = const(int32, 5)
        array, flow = TensorArrayV3(n, dtype=float32)
        y = TensorArraySizeV3(array, flow)
        return y

    After:
        n = const(int32, 5)
        return n

    Declines when: the array may grow.
    Source: Grappler's constant folding (MaterializeTensorArraySize).
    """
    require(not array["dynamic_size"], "the array may grow", at=array)
    return new.const(size)
