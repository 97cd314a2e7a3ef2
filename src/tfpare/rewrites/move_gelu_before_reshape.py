"""A gelu behind the Reshape of a dense layer → before it, where TensorFlow fuses it at run time."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite


@rewrite(
    op(
        "Mul",
        op("Mul", any_("x"), const("half"), bind="halved"),
        op("Erfc", op("Mul", op("Neg", any_("x"), bind="negated"), const("root_half"), bind="scaled"), bind="tail"),
        bind="gelu",
    ),
    effect=Effect.EXACT,
)
def move_gelu_before_reshape(
    new: Builder,
    gelu: Node,
    halved: Node,
    tail: Node,
    scaled: Node,
    negated: Node,
    x: Value,
    half: Array,
    half_value: Value,
    root_half: Array,
    root_half_value: Value,
) -> Value | None:
    """½·r·erfc(−r·√½) with r = Reshape(y, s) is Reshape(½·y·erfc(−y·√½), s), where y is a dense layer with bias.

    Before:
        a = input(float32[6,8])
        k = const(float32[8,4])
        p = MatMul(a, k)
        b = const(float32[4])
        y = BiasAdd(p, b)
        s = const(int32, [2, 3, 4])
        r = Reshape(y, s)
        h = const(float32, 0.5)
        m = Mul(r, h)
        n = Neg(r)
        c = const(float32, 0.70710677)
        q = Mul(n, c)
        e = Erfc(q)
        z = Mul(m, e)
        return z

    After:
        a = input(float32[6,8])
        k = const(float32[8,4])
        p = MatMul(a, k)
        b = const(float32[4])
        y = BiasAdd(p, b)
        h = const(float32, 0.5)
        m = Mul(y, h)
        n = Neg(y)
        c = const(float32, 0.70710677)
        q = Mul(n, c)
        e = Erfc(q)
        g = Mul(m, e)
        s = const(int32, [2, 3, 4])
        z = Reshape(g, s)
        return z

    Declines when: a constant is no scalar.
    Source: Grappler's remapper, which makes one kernel of MatMul, BiasAdd and gelu, where nothing is between them.
    """
    reshape = new.producer(x, "Reshape")
    biased = new.producer(reshape.inputs[0], "BiasAdd") if reshape else None
    if reshape is None or biased is None or new.producer(biased.inputs[0], "MatMul") is None:
        return None
    require(half.ndim == 0 and root_half.ndim == 0, "a constant is no scalar", at=gelu)
    inner, shape = biased.out(), biased.shapes[0]
    negative = new.like(negated, inner, shape=shape)
    erfc = new.like(tail, new.like(scaled, negative, root_half_value, shape=shape), shape=shape)
    product = new.like(gelu, new.like(halved, inner, half_value, shape=shape), erfc, shape=shape)
    return new.like(reshape, product, reshape.inputs[1])
