"""AddN with several constants → with one; AddN of one value → gone."""

from __future__ import annotations

import numpy as np

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, rewrite


@rewrite(op("AddN", any_("x")), effect=Effect.EXACT)
def remove_single_addn(new: Builder, x: Value) -> Value:
    """AddN(x) = x.

    Before:
        x = input(float32[?,4])
        s = AddN(x)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: never by itself.
    Source: Grappler's arithmetic optimizer (AddOpsRewrite).
    """
    return x


@rewrite(op("AddN", bind="addn"), effect=Effect.ROUNDING)
def merge_addn_constants(new: Builder, addn: Node) -> Value | None:
    """AddN(x, c1, y, c2) = AddN(x, y, c1 + c2).

    Before:
        x = input(float32[4])
        z = input(float32[4])
        c1 = const(float32[4])
        c2 = const(float32[4])
        y = AddN(c1, x, c2, z)
        return y

    After:
        x = input(float32[4])
        z = input(float32[4])
        c = const(float32[4])
        y = AddN(x, z, c)
        return y

    Declines when: the sum of the constants leaves the range of the type.
    Source: Grappler's constant folding (PartialConstPropThroughIdentityN, PartialAssocOpConstFolding).
    """
    arrays = [a for a in map(new.constant_of, addn.inputs) if a is not None]
    if len(arrays) < 2:
        return None
    rest = [v for v in addn.inputs if new.constant_of(v) is None]
    with np.errstate(over="ignore", invalid="ignore"):  # integers wrap around as the kernel does
        total = sum(a if a.dtype.kind in "iuc" else a.astype(np.float64) for a in arrays)
    return new.op("AddN", *rest, new.const(np.asarray(total)))
