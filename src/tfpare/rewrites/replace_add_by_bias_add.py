"""An addition of one constant per channel after a linear op → BiasAdd, which TensorFlow fuses with it at run time."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, const, op, require, rewrite
from tfpare.rewrites.linear import LINEAR, linear, per_channel


@rewrite(
    op("Add | AddV2 | Sub", op(LINEAR, bind="linear_node"), const("c"), bind="add"),
    effect=Effect.EXACT,
    shares=("linear_node",),
)
def replace_add_by_bias_add(new: Builder, add: Node, linear_node: Node, c: Array) -> Value | None:
    """linear(x, K) + c = BiasAdd(linear(x, K), c), with one c per output channel; likewise − c.

    Before:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[1,1,1,4])
        y = AddV2(conv, c)
        return y

    After:
        x = input(float32[?,8,8,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        c = const(float32[4])
        y = BiasAdd(conv, c)
        return y

    Declines when: the kernel is not constant; c varies along another dimension or would enlarge the result.
    Source: INC's add-to-BiasAdd; Grappler's remapper (fuses only BiasAdd on most builds).
    """
    if add.op == "Sub" and add.inputs[0].node is not linear_node:
        return None
    owner = linear(linear_node)
    require(linear_node.op != "Conv3D" or owner.channels_last, "BiasAdd on NCDHW is not portable", at=linear_node)
    bias = per_channel(c, owner, add)
    return owner.bias(new, linear_node.out(), -bias if add.op == "Sub" else bias)
