"""FakeQuant ops of models that were trained for 8 bits: their ranges are used, the ops go."""

from __future__ import annotations

from tfpare.compat.eightbit.fake_quants import check_fake_quant, effective_range
from tfpare.engine.rule import Declined, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.passes.base import PassResult
from tfpare.quant.choice import Range

_OPS = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs")


def take_ranges(graph: Graph, result: PassResult) -> dict[Value, Range]:
    """Removes every FakeQuant over a constant 8-bit range; returns the range of the value that it read.

    `put_back` has to follow once it is known what is in 8 bits.
    """
    ranges: dict[Value, Range] = {}
    for node in [n for n in graph.topological() if n.op in _OPS]:
        source = node.inputs[0]
        try:
            found = _range(graph, node)
            alone = list(source.node.readers) == [node] and source not in graph.outputs.values()
            require(alone and not node.controls and node not in graph.keep, "its input is read elsewhere", at=node)
        except Declined as declined:
            result.decline(f"FakeQuant: {declined.reason}", node.name)
            continue
        ranges[source] = found
        graph.replace_value(node.out(), source)
        graph.replace_control(node, [source.node])
    graph.sweep()
    return ranges


def put_back(graph: Graph, ranges: dict[Value, Range]) -> None:
    """Lets readers of a value that they now have in float read it rounded to its range, as they did before."""
    for value, (low, high) in ranges.items():
        if graph.nodes.get(value.node.name) is not value.node:
            continue  # it is in 8 bits
        readers = [r for r in value.node.readers if value in r.inputs and r.op not in ("QuantizeV2", *_OPS)]
        keys = [k for k, v in graph.outputs.items() if v == value]
        if not readers and not keys:
            continue
        attrs = {"min": low, "max": high, "num_bits": 8}
        name = f"{value.node.name}/fake_quant"
        made = graph.add(_OPS[1], [value], attrs, name=name, device=value.node.device, made_by="compute_in_int8")
        made.shapes = (value.shape,)
        for reader in readers:
            graph.set_inputs(reader, (made.out() if v == value else v for v in reader.inputs))
        graph.outputs.update(dict.fromkeys(keys, made.out()))


def _range(graph: Graph, node: Node) -> Range:
    if node.op == "FakeQuantWithMinMaxVars":
        return check_fake_quant(graph, node)
    low, high = node["min"], node["max"]
    if node["num_bits"] != 8 or not isinstance(low, float) or not isinstance(high, float):
        raise Declined("it has another number of bits", node)
    if node.out() in graph.fed or node in graph.pinned:
        raise Declined("callers replace its value", node)
    return effective_range(low, high)
