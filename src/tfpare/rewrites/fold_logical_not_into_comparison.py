"""The negation of a comparison → the opposite comparison."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite

_OPPOSITE = {
    "Equal": "NotEqual",
    "NotEqual": "Equal",
    "Less": "GreaterEqual",
    "GreaterEqual": "Less",
    "LessEqual": "Greater",
    "Greater": "LessEqual",
}


@rewrite(
    op("LogicalNot", op(" | ".join(_OPPOSITE), any_("a"), any_("b"), bind="comparison"), bind="root"),
    effect=Effect.EXACT,
)
def fold_logical_not_into_comparison(new: Builder, root: Node, comparison: Node, a: Value, b: Value) -> Value:
    """not (a = b) = (a ≠ b); for integers also not (a < b) = (a ≥ b) and the other orderings.

    Before:
        a = input(int32[?,4])
        b = input(int32[4])
        c = Less(a, b)
        y = LogicalNot(c)
        return y

    After:
        a = input(int32[?,4])
        b = input(int32[4])
        y = GreaterEqual(a, b)
        return y

    Before:
        a = input(float32[?,4])
        b = input(float32[4])
        c = Equal(a, b)
        y = LogicalNot(c)
        return y

    After:
        a = input(float32[?,4])
        b = input(float32[4])
        y = NotEqual(a, b)
        return y

    Declines when: floats are ordered (NaN is neither less than a number nor greater or equal); another node needs the
    comparison.
    Source: Grappler's arithmetic optimizer (RemoveLogicalNot), which ignores NaN.
    """
    orders = comparison.op not in ("Equal", "NotEqual")
    require(a.dtype.is_integer or not orders, "floats: NaN is neither less nor greater or equal", at=root)
    kept = {} if orders else {"incompatible_shape_error": comparison["incompatible_shape_error"]}
    return new.op(_OPPOSITE[comparison.op], a, b, shape=comparison.shapes[0], **kept)
