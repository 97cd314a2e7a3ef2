"""An op applied twice that is its own inverse → gone; one that changes nothing the second time → applied once."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, rewrite

_INVOLUTIONS = "Neg | LogicalNot | Invert | Conj"
_IDEMPOTENTS = "Relu | Relu6 | Abs | Floor | Ceil | Rint | Round | Sign"


@rewrite(
    op(_INVOLUTIONS, op(_INVOLUTIONS, any_("x"), bind="inner"), bind="outer"), effect=Effect.EXACT, shares=("inner",)
)
def remove_double_negation(new: Builder, inner: Node, outer: Node, x: Value) -> Value | None:
    """−(−x) = x, likewise LogicalNot, Invert and Conj.

    Before:
        x = input(float32[?,4])
        a = Neg(x)
        b = Neg(a)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: never by itself; two different ops do not match.
    Source: Grappler's arithmetic optimizer (RemoveInvolution). Neg flips a bit, so denormal numbers stay.
    """
    return x if inner.op == outer.op else None


@rewrite(op(_IDEMPOTENTS, op(_IDEMPOTENTS, bind="inner"), bind="outer"), effect=Effect.EXACT, shares=("inner",))
def remove_idempotent(new: Builder, inner: Node, outer: Node) -> Value | None:
    """Relu(Relu(x)) = Relu(x), likewise Relu6, Abs, Floor, Ceil, Rint, Round and Sign.

    Before:
        x = input(float32[?,4])
        a = Relu(x)
        b = Relu(a)
        y = Neg(b)
        return y

    After:
        x = input(float32[?,4])
        a = Relu(x)
        y = Neg(a)
        return y

    Declines when: never by itself; two different ops do not match.
    Source: Grappler's arithmetic optimizer (RemoveIdempotent).
    """
    return inner.out() if inner.op == outer.op else None
