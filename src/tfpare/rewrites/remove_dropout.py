"""Dropout that keeps everything → gone: the ways in which TensorFlow 1 and 2 wrote tf.nn.dropout."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Effect, Node, Value, any_, const, op, require, rewrite

_UNIFORM = "RandomUniform | StatelessRandomUniform | StatelessRandomUniformV2"


@rewrite(
    op("Mul", any_("x"), op("Cast", op("GreaterEqual", any_("noise"), const("rate"), bind="keep")), bind="mul"),
    effect=Effect.ROUNDING,
    after=("remove_neutral_float_element",),
)
def remove_dropout(new: Builder, mul: Node, keep: Node, x: Value, noise: Value, rate: Array) -> Value:
    """x · (uniform noise ≥ 0) = x, up to denormal numbers (tf.nn.dropout with rate 0).

    Before:
        x = input(float32[?,4])
        rate = const(float32, 0)
        s = Shape(x)
        noise = RandomUniform(s, dtype=float32, seed=5, seed2=7)
        keep = GreaterEqual(noise, rate)
        mask = Cast(keep, DstT=float32)
        y = Mul(x, mask)
        return y

    After:
        x = input(float32[?,4])
        return x

    Declines when: the rate is not 0; the noise is not known to lie in [0, 1) or to have the shape of x.
    Source: the Graph Transform Tool's remove_nodes; tf.nn.dropout of TensorFlow 1.13 to 2.11.
    """
    _check_noise(new, noise, x, mul)
    require(rate.ndim == 0 and rate <= 0, "the rate is not 0", at=keep)
    return x


@rewrite(
    op("SelectV2", op("GreaterEqual", any_("noise"), const("rate"), bind="keep"), any_("x"), const("zero"), bind="sel"),
    effect=Effect.EXACT,
    after=("remove_neutral_float_element",),
)
def remove_select_dropout(
    new: Builder, sel: Node, keep: Node, x: Value, noise: Value, rate: Array, zero: Array
) -> Value:
    """where(uniform noise ≥ 0, x, 0) = x (tf.nn.dropout with rate 0).

    Before:
        x = input(float32[?,4])
        rate = const(float32, 0)
        zero = const(float32, 0)
        s = Shape(x)
        noise = RandomUniform(s, dtype=float32, seed=5, seed2=7)
        keep = GreaterEqual(noise, rate)
        d = SelectV2(keep, x, zero)
        y = Relu(d)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: the rate is not 0; the noise is not known to lie in [0, 1) or to have the shape of x; the other
    branch is no scalar.
    Source: the Graph Transform Tool's remove_nodes; tf.nn.dropout of TensorFlow 2.12 and later.
    """
    _check_noise(new, noise, x, sel)
    require(rate.ndim == 0 and rate <= 0, "the rate is not 0", at=keep)
    require(zero.ndim == 0, "the other branch is no scalar", at=sel)
    return x


@rewrite(
    op("Mul", any_("x"), op("Floor", op("Add | AddV2", any_("noise"), const("kept"), bind="total")), bind="mul"),
    effect=Effect.ROUNDING,
    after=("remove_neutral_float_element",),
)
def remove_floor_dropout(new: Builder, mul: Node, total: Node, x: Value, noise: Value, kept: Array) -> Value:
    """x · floor(1 + uniform noise) = x, up to denormal numbers (tf.nn.dropout with keep_prob 1).

    Before:
        x = input(float32[?,4])
        kept = const(float32, 1)
        s = Shape(x)
        noise = RandomUniform(s, dtype=float32, seed=5, seed2=7)
        total = Add(kept, noise)
        mask = Floor(total)
        y = Mul(x, mask)
        return y

    After:
        x = input(float32[?,4])
        return x

    Declines when: not all is kept; the noise is not known to lie in [0, 1) or to have the shape of x.
    Source: the Graph Transform Tool's remove_nodes; tf.nn.dropout up to TensorFlow 1.12.
    """
    _check_noise(new, noise, x, mul)
    require(kept.ndim == 0 and kept == 1, "not all is kept", at=total)
    return x


def _check_noise(new: Builder, noise: Value, x: Value, at: Node) -> None:
    """The noise is uniform in [0, 1) and broadcasting it to x does not enlarge x."""
    uniform = _uniform(new, noise)
    require(uniform is not None, "the noise is not known to lie in [0, 1)", at=at)
    assert uniform is not None
    shape = new.producer(uniform.inputs[0], "Shape")
    given = new.constant_of(uniform.inputs[0])
    same = shape is not None and shape.inputs[0] == x
    fits = given is not None and x.shape.is_full and tuple(given.tolist()) == x.shape.dims
    require(same or fits, "the noise is not known to have the shape of x", at=at)


def _uniform(new: Builder, noise: Value) -> Node | None:
    """RandomUniform behind · 1 and + 0, which random_uniform writes for its default range."""
    for ops, neutral in (("Add | AddV2", 0), ("Mul", 1)):
        node = new.producer(noise, ops)
        array = new.constant_of(node.inputs[1]) if node is not None else None
        if node is not None and array is not None and array.ndim == 0 and array == neutral:
            noise = node.inputs[0]
    return new.producer(noise, _UNIFORM)
