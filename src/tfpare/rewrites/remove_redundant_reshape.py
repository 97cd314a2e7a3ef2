"""Reshapes that change nothing, or whose result is reshaped again → gone."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite
from tfpare.rewrites.static_values import Dim, Element, elements


@rewrite(op("Reshape", any_("x"), any_("shape"), bind="reshape"), effect=Effect.EXACT)
def remove_redundant_reshape(new: Builder, reshape: Node, x: Value, shape: Value) -> Value | None:
    """Reshape(x, shape(x)) = x.

    Before:
        x = input(float32[?,8])
        shape = const(int32, [-1, 8])
        r = Reshape(x, shape)
        y = Relu(r)
        return y

    After:
        x = input(float32[?,8])
        y = Relu(x)
        return y

    Declines when: it may change the shape or makes it known; more than one dimension is not known to stay.
    Source: Grappler's arithmetic optimizer (RemoveRedundantReshape).
    """
    target, dims = elements(new, shape), x.shape.dims
    require(target is not None and dims is not None, "a shape is not known", at=reshape)
    assert target is not None
    assert dims is not None
    if len(target) != len(dims):
        return None
    require(_same(target, x, dims), "it may change the shape", at=reshape)
    return x


def _same(target: list[Element], x: Value, dims: tuple[int | None, ...]) -> bool:
    known = [e == d and d is not None for e, d in zip(target, dims, strict=True)]
    open_ = [k for k, same in enumerate(known) if not same and target[k] != Dim(x, k)]
    if any(isinstance(target[k], int) and target[k] != -1 for k in open_):
        return False
    # The last open dimension follows from the number of elements, unless that is 0 whatever it is.
    others = [d for k, d in enumerate(dims) if k not in open_]
    return not open_ or (len(open_) == 1 and all(d is not None and d > 0 for d in others))


@rewrite(
    op("Reshape", op("Reshape | ExpandDims", any_("x"), any_("inner_shape"), bind="inner"), any_("shape")),
    effect=Effect.EXACT,
    shares=("inner",),
)
def merge_reshapes(new: Builder, x: Value, shape: Value) -> Value:
    """Reshape(Reshape(x, s1), s2) = Reshape(x, s2), likewise for an inner ExpandDims.

    Before:
        x = input(float32[?,8])
        s1 = const(int32, [-1, 2, 4])
        s2 = const(int32, [-1, 4, 2])
        r1 = Reshape(x, s1)
        y = Reshape(r1, s2)
        return y

    After:
        x = input(float32[?,8])
        s2 = const(int32, [-1, 4, 2])
        y = Reshape(x, s2)
        return y

    Declines when: never by itself; a result depends on the elements and their number alone.
    Source: Grappler's arithmetic optimizer (RemoveRedundantReshape).
    """
    return new.op("Reshape", x, shape)
