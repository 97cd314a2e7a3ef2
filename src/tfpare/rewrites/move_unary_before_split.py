"""One function of each part of a Split → the function of the whole."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.elementwise import UNARY, becomes_integer, is_same_function

_DATA = {"Split": 1, "SplitV": 0}


@rewrite(op(UNARY, bind="function"), effect=Effect.ROUNDING)
def move_unary_before_split(new: Builder, function: Node) -> Value | None:
    """f(Split(x)[k]) = Split(f(x))[k] for f that works element by element and is applied to every part.

    Each part is a rewrite of its own; `merge_duplicates` then leaves one f and one Split.

    Before:
        x = input(float32[?,4])
        axis = const(int32, 1)
        a, b = Split(axis, x, num_split=2)
        p = Tanh(a)
        q = Tanh(b)
        return p, q

    After:
        axis = const(int32, 1)
        x = input(float32[?,4])
        t = Tanh(x)
        p, unread = Split(axis, t, num_split=2)
        u = Tanh(x)
        dropped, q = Split(axis, u, num_split=2)
        return p, q

    Declines when: something else reads a part, or nothing reads one; the function makes the elements larger, so that
    the Split would move more bytes; the Split waits for a control input, or is placed on another device; floats become
    integers (NaN, or a number out of range, becomes an integer that depends on its position).
    Source: Grappler's arithmetic optimizer (HoistCWiseUnaryChains). The kernels compute the tail of an array with other
    instructions than its body, so that a last bit may differ.
    """
    part = function.inputs[0]
    split = new.producer(part, "Split | SplitV")
    if split is None or split["num_split"] == 1:
        return None
    place = _DATA[split.op]
    x = split.inputs[place]
    require(_is_applied_to_all(function, split, x), "not every part has this function alone", at=split)
    require(not split.controls, "the Split waits for a control input", at=split)
    require(split.device == function.device, "the nodes are placed on different devices", at=split)
    require(not becomes_integer(function), "floats out of range become arbitrary integers", at=function)
    require(not _grows(function), "the function makes the elements larger", at=function)
    whole = new.like(function, x, shape=x.shape)
    inputs = (*split.inputs[:place], whole, *split.inputs[place + 1 :])
    return new.like(split, *inputs, T=function.dtypes[0]).node.out(part.index)


def _is_applied_to_all(function: Node, split: Node, x: Value) -> bool:
    parts = {v for r in split.readers for v in r.inputs if v.node is split}
    alike = all(is_same_function(r, function) for r in split.readers)
    return alike and (len(parts) == len(split.dtypes) or _is_hoisted(function, split, x))


def _is_hoisted(function: Node, split: Node, x: Value) -> bool:
    """Whether another part was rewritten already, so that the function of the whole exists."""
    wholes = [r for r in x.node.readers if is_same_function(r, function) and r.inputs[0] == x]
    return any(s.op == split.op for whole in wholes for s in whole.readers)


def _grows(node: Node) -> bool:
    before, after = node.inputs[0].dtype.numpy, node.dtypes[0].numpy
    return before is None or after is None or after.itemsize > before.itemsize
