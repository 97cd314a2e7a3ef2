"""Split into one, Pack of one, Unpack into one → no copy."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, rewrite


@rewrite(op("Split | SplitV", bind="split"), effect=Effect.EXACT)
def remove_single_split(new: Builder, split: Node) -> Value | None:
    """Split(axis, x) into one part = x, likewise SplitV.

    Before:
        axis = const(int32, 1)
        x = input(float32[?,4])
        s = Split(axis, x, num_split=1)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: never by itself; several parts do not match.
    Source: Grappler's constant folding (RemoveSplitOrSplitV).
    """
    return split.inputs[1 if split.op == "Split" else 0] if split["num_split"] == 1 else None


@rewrite(op("Pack", any_("x"), bind="pack"), effect=Effect.EXACT)
def replace_single_pack(new: Builder, pack: Node, x: Value) -> Value:
    """Pack(x) = ExpandDims(x), which does not copy.

    Before:
        x = input(float32[?,4])
        y = Pack(x, axis=1)
        return y

    After:
        x = input(float32[?,4])
        axis = const(int32, 1)
        y = ExpandDims(x, axis)
        return y

    Declines when: never by itself; several values do not match.
    Source: Grappler's constant folding (SimplifyPack).
    """
    return new.op("ExpandDims", x, new.ints(np.asarray(pack["axis"])))


@rewrite(op("Unpack", any_("x"), bind="unpack"), effect=Effect.EXACT)
def replace_single_unpack(new: Builder, unpack: Node, x: Value) -> Value | None:
    """Unpack(x) into one part = Squeeze(x, [axis]), which does not copy.

    Before:
        x = input(float32[?,1])
        y = Unpack(x, num=1, axis=1)
        return y

    After:
        x = input(float32[?,1])
        y = Squeeze(x, squeeze_dims=[1])
        return y

    Declines when: never by itself; several parts do not match.
    Source: the op pages.
    """
    return new.op("Squeeze", x, squeeze_dims=(unpack["axis"],)) if unpack["num"] == 1 else None
