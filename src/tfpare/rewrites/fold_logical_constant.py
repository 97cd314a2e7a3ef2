"""x and false, x or true → the constant."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.splat import broadcast_shape, splat


@rewrite(op("LogicalAnd | LogicalOr", any_("x"), const("c"), bind="node"), effect=Effect.EXACT)
def fold_logical_constant(new: Builder, node: Node, x: Value, c: Array) -> Value | None:
    """(x and false) = false, (x or true) = true.

    Before:
        x = input(bool[2])
        yes = const(bool, True)
        y = LogicalOr(x, yes)
        return y

    After:
        y = const(bool, [True, True])
        return y

    Declines when: the shape is not known or large; x is computed with an effect, which would be lost.
    Source: Grappler's constant folding (SimplifyArithmeticOperations).
    """
    result = node.op == "LogicalOr"
    if c.size == 0 or (c != result).any():
        return None
    require(not new.has_effect(x), "an operand is computed with an effect", at=node)
    return splat(new, np.asarray(result), broadcast_shape(node), node)
