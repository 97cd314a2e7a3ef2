"""Padding by nothing → gone; padding twice with zeros → padding once."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, rewrite


@rewrite(op("Pad | PadV2 | MirrorPad", bind="pad"), effect=Effect.EXACT)
def remove_redundant_pad(new: Builder, pad: Node) -> Value | None:
    """Pad(x, 0) = x, likewise PadV2 and MirrorPad.

    Before:
        x = input(float32[?,8])
        nothing = const(int32, [[0, 0], [0, 0]])
        p = Pad(x, nothing)
        y = Relu(p)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: never by itself; other paddings do not match.
    Source: Grappler's constant folding (SimplifyPad).
    """
    paddings = new.constant_of(pad.inputs[1])
    return None if paddings is None or paddings.any() else pad.inputs[0]


@rewrite(
    op("Pad", op("Pad", any_("x"), const("inner"), bind="first"), const("outer"), bind="second"), effect=Effect.ROUNDING
)
def merge_pads(new: Builder, x: Value, inner: Array, outer: Array, outer_value: Value) -> Value:
    """Pad(Pad(x, p), q) = Pad(x, p + q).

    The padded tensor is the same bit for bit, but oneDNN takes the one Pad into a convolution that follows, which may
    then choose another kernel and sum in another order.

    Before:
        x = input(float32[?,8])
        p = const(int32, [[0, 0], [1, 0]])
        q = const(int32, [[0, 1], [1, 2]])
        a = Pad(x, p)
        y = Pad(a, q)
        return y

    After:
        x = input(float32[?,8])
        pq = const(int32, [[0, 1], [2, 2]])
        y = Pad(x, pq)
        return y

    Declines when: another node reads the inner result (the engine's check).
    Source: the Pad op page.
    """
    return new.op("Pad", x, new.ints(inner.astype("int64") + outer, outer_value))
