"""The product of a shape's numbers → Size."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op("Prod", op("Shape", any_("x"), bind="shape"), const("axis"), bind="prod"),
    effect=Effect.EXACT,
    shares=("shape",),
)
def fold_shape_product(new: Builder, prod: Node, x: Value, axis: Array) -> Value:
    """Prod(Shape(x)) = Size(x).

    Before:
        x = input(float32[?,4])
        axis = const(int32, [0])
        s = Shape(x)
        y = Prod(s, axis)
        return y

    After:
        x = input(float32[?,4])
        y = Size(x)
        return y

    Declines when: the result is a vector, because dimensions are kept or there is no axis.
    Source: Grappler's shape optimizer.
    """
    whole = axis.ravel().tolist() in ([0], [-1])
    require(whole and not prod["keep_dims"], "the result is a vector", at=prod)
    return new.op("Size", x, out_type=prod.dtypes[0])
