"""Reshapes to a computed shape of which one dimension is unknown → to a constant shape with −1."""

from __future__ import annotations

from math import prod

from tfpare.authoring import Builder, Effect, Node, Shape, Value, any_, op, require, rewrite
from tfpare.rewrites.static_values import Dim, Element, elements


@rewrite(op("Reshape", any_("x"), any_("target"), bind="reshape"), effect=Effect.EXACT)
def simplify_reshape_target(new: Builder, reshape: Node, x: Value, target: Value) -> Value | None:
    """Reshape(x, [d, n1, n2]) = Reshape(x, [−1, n1, n2]) where n1, n2 > 0.

    An empty batch stays right: −1 is then 0, because the other dimensions are not 0. Where the computed shape does not
    fit x, or −1 had no meaning for an empty x, the call failed; it may now answer.

    Before:
        x = input(float32[?,32])
        zero = const(int32, [0])
        first = const(int32, [1])
        one = const(int32, 1)
        n = const(int32, 32)
        s = Shape(x)
        batch = StridedSlice(s, zero, first, first, shrink_axis_mask=1)
        target = Pack(batch, one, n)
        y = Reshape(x, target)
        return y

    After:
        x = input(float32[?,32])
        target = const(int32, [-1, 1, 32])
        y = Reshape(x, target)
        return y

    Before (Flatten of TF 1, where −1 stands for dimensions that x tells):
        x = input(float32[?,3,3,32])
        zero = const(int32, [0])
        one = const(int32, [1])
        rest = const(int32, -1)
        s = Shape(x)
        batch = StridedSlice(s, zero, one, one, shrink_axis_mask=1)
        target = Pack(batch, rest)
        y = Reshape(x, target)
        return y

    After:
        x = input(float32[?,3,3,32])
        target = const(int32, [-1, 288])
        y = Reshape(x, target)
        return y

    Declines when: more than one dimension is unknown; one is 0; nothing is known of the shape.
    Source: Grappler's constant folding (MaterializeReshape), which needs all other dimensions of x as well.
    """
    if new.constant_of(target) is not None:
        return None
    found = elements(new, target)
    require(found, "nothing is known of the shape", at=reshape)
    dims = _resolve(_refine(found or [], reshape.out().shape), x)
    require(sum(d == -1 for d in dims) <= 1, "more than one dimension is unknown", at=reshape)
    require(0 not in dims, "a dimension is 0", at=reshape)
    shape = Shape(tuple(None if d == -1 else d for d in dims))
    return new.op("Reshape", x, new.ints(dims, target), shape=shape)


def _refine(found: list[Element], static: Shape) -> list[Element]:
    """With what shape inference knows of the result."""
    dims = static.dims
    if dims is None or len(dims) != len(found):
        return found
    return [e if d is None else d for e, d in zip(found, dims, strict=True)]


def _resolve(found: list[Element], x: Value) -> list[int]:
    """The target with −1 for the unknown; what −1 stood for before is computed where x tells it."""
    own = [k for k, e in enumerate(found) if isinstance(e, Dim) and e.value == x]
    missing = [k for k, e in enumerate(found) if e == -1]
    dims = [e if isinstance(e, int) else -1 for e in found]
    if len(missing) != 1 or len(own) != 1 or dims.count(-1) != 2:
        return dims
    axis = found[own[0]]
    assert isinstance(axis, Dim)
    rest = [d for k, d in enumerate(x.shape.dims or ()) if k != axis.axis]
    total, given = prod(d or 0 for d in rest), prod(d for d in dims if d != -1)
    if total > 0 and given > 0 and total % given == 0:
        dims[missing[0]] = total // given
    return dims
