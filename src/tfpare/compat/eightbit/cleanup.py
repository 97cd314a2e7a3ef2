"""Values that leave 8 bits only to come back."""

from __future__ import annotations

from tfpare.compat.eightbit.emit import MODE, QUINT8
from tfpare.ir.graph import Graph, Node, Value


def remove_round_trips(graph: Graph) -> int:
    """QuantizeV2(d, Min(d), Max(d)) of d = Dequantize(q, low, high) → q, low, high.

    The floats stay where somebody else reads them.
    """
    removed = 0
    for node in [n for n in graph.topological() if n.op == "QuantizeV2"]:
        source = _eight_bits_behind(graph, node)
        if source is None:
            continue
        for port, value in enumerate(source.inputs):
            graph.replace_value(node.out(port), value)
        graph.replace_control(node, [source.inputs[0].node])
        removed += 1
    return removed


def _eight_bits_behind(graph: Graph, node: Node) -> Node | None:
    floats = node.inputs[0]
    source = floats.node
    is_plain = source.op == "Dequantize" and source["dtype"] == floats.dtype and source["axis"] == -1
    same = is_plain and all(n["T"] == QUINT8 and n["mode"] == MODE and not n["narrow_range"] for n in (node, source))
    if not same or node["axis"] != -1 or {floats, *node.inputs, *(node.out(k) for k in range(3))} & graph.fed:
        return None
    measured = all(_measures(v, op, floats) for v, op in zip(node.inputs[1:], ("Min", "Max"), strict=True))
    return source if measured and _contains_zero(source) else None


def _measures(value: Value, op: str, source: Value) -> bool:
    """Whether `value` is the least or greatest element of `source`."""
    flat = value.node.inputs[0].node if value.node.op == op else None
    if flat is None or flat.op != "Reshape" or flat.inputs[0] != source:
        return False
    shape, axes = flat.inputs[1].constant, value.node.inputs[1].constant
    return shape is not None and shape.tolist() == [-1] and axes is not None and axes.ravel().tolist() == [0]


def _contains_zero(node: Node) -> bool:
    """Whether the range surely contains 0, as QuantizeV2 sees to; ranges that ops compute do."""
    low, high = (v.constant for v in node.inputs[1:])
    return (low is None or float(low) <= 0) and (high is None or float(high) >= 0)
