"""BiasAdd of zeros → gone."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR


@rewrite(op("BiasAdd", any_("x"), const("bias"), bind="add"), effect=Effect.ROUNDING)
def remove_zero_bias(new: Builder, add: Node, x: Value, bias: Array) -> Value | None:
    """BiasAdd(x, 0) = x, up to denormal numbers and the sign of 0.

    Before:
        x = input(float32[?,4])
        b = const(float32, [0, 0, 0, 0])
        r = Relu(x)
        s = BiasAdd(r, b)
        y = Tanh(s)
        return y

    After:
        x = input(float32[?,4])
        r = Relu(x)
        y = Tanh(r)
        return y

    Declines when: x comes from a linear op: TensorFlow runs op, BiasAdd and activation as one, but op and activation
    only as two.
    Source: Grappler's constant folding (SimplifyArithmeticOperations), which does not know what is fused later.
    """
    if bias.any():
        return None
    require(new.producer(x, LINEAR) is None, "it is run together with the linear op before it", at=add)
    return x
