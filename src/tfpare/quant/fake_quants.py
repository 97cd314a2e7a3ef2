"""FakeQuant ops of models that were trained for 8 bits: their ranges are used, the ops go."""

from __future__ import annotations

from tfpare.compat.eightbit.fake_quants import check_fake_quant, effective_range
from tfpare.engine.rule import Declined
from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult
from tfpare.quant.choice import Range

_OPS = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs")


def take_ranges(graph: Graph, result: PassResult) -> dict[Value, Range]:
    """Removes every FakeQuant over a constant 8-bit range; returns the range of the value that it read.

    The values between the grid's numbers are rounded where they are quantized; until then nothing has to be.
    """
    ranges: dict[Value, Range] = {}
    for node in [n for n in graph.topological() if n.op in _OPS]:
        try:
            found = _range(graph, node)
        except Declined as declined:
            result.decline(f"FakeQuant: {declined.reason}", node.name)
            continue
        source = node.inputs[0]
        if source in graph.fed or node.controls or node in graph.keep:
            continue
        ranges.setdefault(source, found)
        graph.replace_value(node.out(), source)
        graph.replace_control(node, [source.node])
    graph.sweep()
    return ranges


def _range(graph: Graph, node: Node) -> Range:
    if node.op == "FakeQuantWithMinMaxVars":
        return check_fake_quant(graph, node)
    low, high = node["min"], node["max"]
    if node["num_bits"] != 8 or not isinstance(low, float) or not isinstance(high, float):
        raise Declined("it has another number of bits", node)
    if node.out() in graph.fed or node in graph.pinned:
        raise Declined("callers replace its value", node)
    return effective_range(low, high)
