"""A choice that a constant makes → the operand that it takes."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite
from tfpare.rewrites.static_values import keeps_shape


@rewrite(op("Select | SelectV2", const("choice"), any_("x"), any_("z"), bind="select"), effect=Effect.EXACT)
def fold_constant_select(new: Builder, select: Node, choice: Array, x: Value, z: Value) -> Value | None:
    """where(true, x, z) = x, where(false, x, z) = z.

    Before:
        yes = const(bool, True)
        x = input(float32[?,4])
        z = input(float32[4])
        s = SelectV2(yes, x, z)
        y = Relu(s)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: the result may be larger than the operand, by broadcasting; the other operand is computed with an
    effect, which would be lost.
    Source: Grappler's constant folding (SimplifySelect).
    """
    if choice.size == 0 or choice.any() != choice.all():
        return None
    taken, other = (x, z) if choice.all() else (z, x)
    if select.op == "SelectV2":
        fits = keeps_shape(choice, taken) and keeps_shape(other, taken)
        require(fits, "broadcasting may enlarge the shape", at=select)
    require(not new.has_effect(other), "the other operand is computed with an effect", at=select)
    return taken
