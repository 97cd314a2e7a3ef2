"""One function of each part of a concatenation → the function of the whole."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite
from tfpare.rewrites.elementwise import FUSED_PRODUCERS, UNARY, becomes_integer, is_same_function


@rewrite(op("ConcatV2", bind="concat"), effect=Effect.ROUNDING)
def move_unary_after_concat(new: Builder, concat: Node) -> Value | None:
    """ConcatV2(f(a), f(b), f(c)) = f(ConcatV2(a, b, c)) for f that works element by element.

    Before:
        a = input(float32[?,2])
        b = input(float32[?,3])
        p = Sigmoid(a)
        q = Sigmoid(b)
        axis = const(int32, 1)
        y = ConcatV2(p, q, axis)
        return y

    After:
        a = input(float32[?,2])
        b = input(float32[?,3])
        axis = const(int32, 1)
        c = ConcatV2(a, b, axis)
        y = Sigmoid(c)
        return y

    Declines when: another node needs a part; the run-time fuses the function into what computes its input (Relu after a
    convolution, a bias or a batch norm); the parts are computed from several dtypes, or a cast makes them smaller, so
    that more bytes would be moved; floats become integers (NaN, or a number out of range, becomes an integer that
    depends on its position).
    Source: Grappler's arithmetic optimizer (HoistCWiseUnaryChains). The kernels compute the tail of an array with other
    instructions than its body, so that a last bit may differ.
    """
    values, axis = concat.inputs[:-1], concat.inputs[-1]
    found = [new.producer(v, UNARY) for v in values]
    parts = [n for n in found if n is not None]
    same = len(parts) == len(found) > 1 and all(is_same_function(parts[0], n) for n in parts)
    if not same or len(set(parts)) < len(parts):
        return None
    require(all(new.can_absorb(v) for v in values), "another node needs a part", at=concat)
    inputs = [n.inputs[0] for n in parts]
    fused = next((v.node for v in inputs if v.node.op in FUSED_PRODUCERS.split()), None)
    require(fused is None, "the run-time fuses the function into what computes its input", at=fused or concat)
    require(not becomes_integer(parts[0]), "floats out of range become arbitrary integers", at=parts[0])
    require(not _shrinks(parts[0]), "the function makes the elements smaller", at=concat)
    whole = new.like(concat, *inputs, axis, T=inputs[0].dtype.base, shape=concat.shapes[0])
    return new.like(parts[0], whole, shape=concat.shapes[0])


def _shrinks(node: Node) -> bool:
    before, after = node.inputs[0].dtype.numpy, node.dtypes[0].numpy
    return before is None or after is None or after.itemsize < before.itemsize
