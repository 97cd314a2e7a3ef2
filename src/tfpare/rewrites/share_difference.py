"""A squared difference where the difference itself is computed as well → its square."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(
    op("SquaredDifference", any_("a"), any_("b"), bind="square"),
    effect=Effect.EXACT,
    after=("subtract_mean_before_scaling",),
)
def share_difference(new: Builder, square: Node, a: Value, b: Value) -> Value | None:
    """SquaredDifference(a, b) = d², where d = a − b is computed anyhow.

    Before:
        a = input(float32[?,4])
        b = input(float32[?,1])
        d = Sub(a, b)
        y = Relu(d)
        s = SquaredDifference(a, b)
        z = Relu(s)
        return y, z

    After:
        a = input(float32[?,4])
        b = input(float32[?,1])
        d = Sub(a, b)
        y = Relu(d)
        s = Square(d)
        z = Relu(s)
        return y, z

    Declines when: the difference waits for other nodes; the dtype is complex (there the square is d times its
    conjugate).
    Source: the definition; the kernel that broadcasts takes several times as long as that of Square.
    """
    found = [new.producer(r.out(), "Sub") for r in a.node.readers if r.op == "Sub" and set(r.inputs) == {a, b}]
    differences = [n for n in found if n is not None and n.device == square.device]
    if not differences or a == b:
        return None
    require(not differences[0].controls, "the difference waits for other nodes", at=differences[0])
    require(a.dtype.is_float or a.dtype.is_integer, f"squares of {a.dtype} are conjugate", at=square)
    return new.op("Square", differences[0].out())
