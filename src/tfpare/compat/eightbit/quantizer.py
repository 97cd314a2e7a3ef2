"""Float ops → quantized ops of one graph, each between quantization and dequantization."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tfpare.compat.eightbit.emit import QINT32, QUINT8, Emitter, Quantized
from tfpare.compat.eightbit.ops import EIGHT_BIT_OPS, EightBitOp
from tfpare.engine.rule import Declined, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult
from tfpare.rewrites.static_values import axis_of

Range = tuple[float, float]


def quantize_ops(graph: Graph, ignored: Collection[str], fallback: Range | None, result: PassResult) -> None:
    """Computes every op of the table with 8 bits, where the quantized kernel computes the same.

    Its inputs are quantized over the range that they have at run time, its 32-bit result over its own range at run
    time, or over `fallback`.
    """
    emitter = Emitter(graph)
    for node in [n for n in graph.topological() if n.op in EIGHT_BIT_OPS and n.op not in ignored]:
        try:
            _check(graph, node)
            EIGHT_BIT_OPS[node.op].check(node)
        except Declined as declined:
            result.decline(declined.reason, declined.at.name)
        else:
            _quantize(emitter, node, EIGHT_BIT_OPS[node.op], fallback)
            result.applied += 1


def _check(graph: Graph, node: Node) -> None:
    values = [*_floats(node), node.out()]
    require(all(v.dtype.base.name == "float32" for v in values), "its tensors are not float32", at=node)
    require(node.out() not in graph.fed and node not in graph.pinned, "callers replace its value", at=node)
    require(all(0 not in (v.shape.dims or ()) for v in values), "an empty tensor has no range", at=node)


def _floats(node: Node) -> list[Value]:
    """The inputs that are quantized."""
    one = EIGHT_BIT_OPS[node.op]
    if one.is_concat:
        return list(node.inputs[1:] if node.op == "Concat" else node.inputs[:-1])
    return list(node.inputs[: one.n_floats])


def _quantize(emitter: Emitter, node: Node, one: EightBitOp, fallback: Range | None) -> None:
    floats = _floats(node)
    made = {v: emitter.quantize(node, v) for v in dict.fromkeys(floats)}
    inputs = _inputs(emitter, node, one, [made[v] for v in floats])
    attrs = {key: node[key] for key in one.copied} | ({one.wide_attr: QINT32} if one.wide_attr else {})
    name = f"{node.name}/eightbit"
    quantized = Quantized.of(emitter.op(node, one.op, inputs, name, **attrs))
    if one.wide_attr:
        quantized = _narrow(emitter, node, quantized, name, fallback)
    emitter.become_dequantize(node, quantized)


def _inputs(emitter: Emitter, node: Node, one: EightBitOp, floats: list[Quantized]) -> list[Value]:
    """The quantized op's inputs: tensors, then their ranges."""
    if one.is_concat:
        lows, highs = [q.low for q in floats], [q.high for q in floats]
        return [_concat_axis(emitter, node), *(q.tensor for q in floats), *lows, *highs]
    ranges = [limit for q in floats for limit in (q.low, q.high)]
    return [*(q.tensor for q in floats), *node.inputs[one.n_floats :], *ranges]


def _concat_axis(emitter: Emitter, node: Node) -> Value:
    """The axis as the quantized op takes it: int32, counted from the front."""
    value = node.inputs[0 if node.op == "Concat" else -1]
    assert value.constant is not None
    axis = axis_of(value.constant, node.shapes[0].rank)
    if value.dtype.base.name == "int32" and axis == int(value.constant):
        return value
    return emitter.const(node, np.array(axis, np.int32), f"{node.name}/eightbit/axis", alive=_floats(node)[0])


def _narrow(emitter: Emitter, node: Node, wide: Quantized, name: str, fallback: Range | None) -> Quantized:
    if fallback is None:
        measured = emitter.op(node, "RequantizationRange", wide, f"{name}/requant_range")
        low, high = measured.out(0), measured.out(1)
    else:
        low, high = (
            emitter.const(node, np.array(number, np.float32), f"{name}/fallback_{end}", alive=wide.tensor)
            for end, number in zip(("min", "max"), fallback, strict=True)
        )
    return emitter.requantize(wide, low, high, f"{name}/requantize", node)


def quantize_placeholders(graph: Graph, limits: Range, result: PassResult) -> list[str]:
    """Lets callers feed float placeholders as quint8 over the range `limits`; returns the tensors that changed."""
    emitter, changed = Emitter(graph), list[str]()
    for node in [n for n in graph if n.op == "Placeholder" and n.dtypes[0].name == "float32"]:
        if node.out() in graph.outputs.values() or node in graph.pinned:
            result.decline("the placeholder is also an output", node.name)
            continue
        readers = list(node.readers)
        low, high = (
            emitter.const(node, np.array(number, np.float32), f"{node.name}_eightbit/{end}")
            for end, number in zip(("min", "max"), limits, strict=True)
        )
        node.attrs["dtype"], node.dtypes = QUINT8, (QUINT8,)
        quantized = Quantized(node.out(), low, high)
        floats = emitter.op(node, "Dequantize", quantized, f"{node.name}_eightbit/dequantize", mode="MIN_FIRST")
        for reader in readers:
            graph.set_inputs(reader, (floats.out() if v == node.out() else v for v in reader.inputs))
        changed.append(f"{node.name}:0")
    return changed
