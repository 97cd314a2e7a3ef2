"""Two biases in a row → one."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR, linear, per_channel


@rewrite(
    op(
        "Add | AddV2 | Sub | BiasAdd",
        op("BiasAdd", op(LINEAR, bind="linear_node"), const("b"), bind="bias"),
        const("c"),
        bind="add",
    ),
    effect=Effect.ROUNDING,
    shares=("linear_node",),
)
def merge_bias_adds(new: Builder, add: Node, bias: Node, linear_node: Node, b: Array, c: Array) -> Value | None:
    """(linear(x, K) + b) + c = linear(x, K) + (b + c), with one c per output channel; likewise − c.

    Before:
        x = input(float32[?,5])
        k = const(float32[5,4])
        m = MatMul(x, k)
        b = const(float32[4])
        biased = BiasAdd(m, b)
        c = const(float32[4])
        y = Sub(biased, c)
        return y

    After:
        x = input(float32[?,5])
        k = const(float32[5,4])
        m = MatMul(x, k)
        b = const(float32[4])
        y = BiasAdd(m, b)
        return y

    Declines when: the kernel is not constant; c varies along another dimension or would enlarge the result; the layouts
    differ.
    Source: INC's BiasAdd+Add fusion; Grappler's constant push-down through BiasAdd.
    """
    if add.inputs[0].node is not bias and add.op in ("Sub", "BiasAdd"):
        return None
    owner = linear(linear_node)
    if add.op == "BiasAdd":
        require(add["data_format"] == bias["data_format"], "layouts differ", at=add)
        extra = c
    else:
        require(owner.has_layout_of(bias), "layouts differ", at=bias)
        extra = per_channel(c, owner, add)
    total = b - extra if add.op == "Sub" else b + extra
    return new.like(bias, linear_node.out(), new.const(total))
