"""Trained ranges (FakeQuantWithMinMaxVars with constant limits) → ranges of 8-bit values."""

from __future__ import annotations

import numpy as np

from tfpare.compat.eightbit.emit import MODE, QINT32, Emitter, Quantized
from tfpare.engine.rule import Declined, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult

FAKE_QUANT = "FakeQuantWithMinMaxVars"
# Ops f with fake_quant(f(x)) = f(fake_quant(x)), but for half a step at the 6 of Relu6: they pick elements, or clip
# where the grid has a point.
_COMMUTING = frozenset("Relu Relu6 MaxPool Identity StopGradient Squeeze".split())
# Below this the kernels, which keep ranges of 0.01, have no digits left.
_NARROWEST = 1e-4


def hoist_fake_quants(graph: Graph, result: PassResult) -> None:
    """FakeQuant(f(x)) → f(FakeQuant(x)): the range reaches the op that computes with 32 bits.

    The last f takes the FakeQuant's name, and keeps it for callers.
    """
    for node in [n for n in graph.topological() if n.op == FAKE_QUANT]:
        try:
            check_fake_quant(graph, node)
        except Declined as declined:
            result.decline(declined.reason, declined.at.name)
            continue
        chain = _chain(graph, node)
        if chain:
            _hoist(graph, node, chain)
            result.applied += 1


def check_fake_quant(graph: Graph, node: Node) -> tuple[float, float]:
    """The range that a FakeQuant clips to; declines one that 8 bits over this range do not reproduce."""
    limits = [None if v in graph.fed else v.constant for v in node.inputs[1:]]
    require(all(c is not None and c.size == 1 for c in limits), "the range is not constant", at=node)
    low, high = effective_range(*(float(c.ravel()[0]) for c in limits if c is not None))
    require(node["num_bits"] == 8, "it has another number of bits", at=node)
    require(high - low > _NARROWEST, "its range is too narrow, or none", at=node)
    require(node.out() not in graph.fed and node not in graph.pinned, "callers replace its value", at=node)
    return low, high


def effective_range(low: float, high: float) -> tuple[float, float]:
    """What FakeQuant makes of its limits: a range without a 0 is moved to begin or end at it.

    Equal limits, for which it gives NaN, are widened to 0.
    """
    if low == high:
        return min(low, 0.0), max(high, 0.0)
    return (0.0, high - low) if low > 0 else (low - high, 0.0) if high < 0 else (low, high)


def _chain(graph: Graph, node: Node) -> list[Node]:
    """The ops above a FakeQuant that it can change places with, the next one first."""
    held = graph.held_nodes()
    chain: list[Node] = []
    reader, above = node, node.inputs[0].node
    while above.op in _COMMUTING and list(above.readers) == [reader] and above not in held:
        if above.device != node.device or reader in above.controls or above in reader.controls:
            break
        chain.append(above)
        reader, above = above, above.inputs[0].node
    return chain


def _hoist(graph: Graph, node: Node, chain: list[Node]) -> None:
    first, last = chain[-1], chain[0]
    source = first.inputs[0]
    moved = graph.add(
        FAKE_QUANT,
        [source, *node.inputs[1:]],
        node.attrs,
        name=f"{node.name}_hoisted",
        shapes=(source.shape,),
        device=node.device,
        made_by="quantize_nodes",
    )
    graph.set_inputs(first, [moved.out()])
    graph.replace_value(node.out(), last.out())
    graph.replace_control(node, [last])
    graph.set_controls(last, [*last.controls, *node.controls])
    if node in graph.keep:
        graph.keep[last] = None
    name = node.name
    graph.remove(node)
    graph.rename(last, name)


def quantize_fake_quants(graph: Graph, result: PassResult) -> None:
    """FakeQuant(x, low, high) → Dequantize(Requantize(QuantizeV2(x))): 32 bits, then 8, both over [low, high]."""
    emitter = Emitter(graph)
    for node in [n for n in graph.topological() if n.op == FAKE_QUANT]:
        try:
            limits = check_fake_quant(graph, node)
        except Declined as declined:
            result.decline(declined.reason, declined.at.name)
            continue
        x, low, high = node.inputs
        base = f"{node.name}_eightbit"
        if limits != (float(low.constant or 0), float(high.constant or 0)):
            low, high = (
                emitter.const(node, np.array(number, np.float32), f"{base}/{end}", alive=x)
                for end, number in zip(("min", "max"), limits, strict=True)
            )
        wide = emitter.op(node, "QuantizeV2", (x, low, high), f"{base}/quantize", T=QINT32, mode=MODE)
        narrow = emitter.requantize(Quantized.of(wide), low, high, f"{base}/requantize", node)
        emitter.become_dequantize(node, narrow)
        result.applied += 1


def merge_requantizations(graph: Graph) -> int:
    """Requantize(…, low, high) of a 32-bit value that went through 8 bits over a measured range → of the value itself.

    Requantize(QuantizeV2(Dequantize(Requantize(x, measured))), low, high) = Requantize(x, low, high).
    """
    merged = 0
    for node in [n for n in graph.topological() if n.op == "Requantize"]:
        first = _earlier_requantize(graph, node)
        if first is not None:
            graph.set_inputs(node, [*first.inputs[:3], *node.inputs[3:]])
            merged += 1
    return merged


def _earlier_requantize(graph: Graph, node: Node) -> Node | None:
    wide = node.inputs[0].node
    is_constant = all(v.constant is not None and v not in graph.fed for v in node.inputs[3:])
    if not is_constant or wide.op != "QuantizeV2" or not _is_whole(node.inputs[:3], wide):
        return None
    floats = wide.inputs[0]
    first = floats.node.inputs[0].node if floats.node.op == "Dequantize" else None
    if first is None or first.op != "Requantize" or not _is_whole(floats.node.inputs, first):
        return None
    measured = first.inputs[3].node
    fits = measured.op == "RequantizationRange" and measured.inputs == first.inputs[:3] and wide["T"] == QINT32
    fed = {floats, *node.inputs, *floats.node.inputs} & graph.fed
    return first if fits and wide["mode"] == floats.node["mode"] == MODE and not fed else None


def _is_whole(values: tuple[Value, ...], node: Node) -> bool:
    """Whether these are the node's tensor and range, in order."""
    return values == tuple(node.out(k) for k in range(3))
