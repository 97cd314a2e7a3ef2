"""0 inside the range of 8-bit values: rectifiers clip at it and convolutions pad with it.

RequantizationRange finds the range of what is there, and where all of it is negative 0 lies outside: the kernels then
take the highest value in its place.
"""

from __future__ import annotations

from tfpare.compat.eightbit.emit import QINT32, QUINT8, Emitter
from tfpare.ir.graph import Graph, Node, Value

_RECTIFIERS = ("QuantizedRelu", "QuantizedRelu6")
_KEEPS_RANGE = frozenset(
    "QuantizedMaxPool QuantizedAvgPool QuantizedReshape QuantizedResizeBilinear QuantizedConcat".split()
)


def keep_zero_in_ranges(graph: Graph) -> None:
    """Widens or avoids measured ranges of values in which some reader needs a 0."""
    emitter = Emitter(graph)
    for node in [n for n in graph.topological() if n.op == "Requantize"]:
        measured = node.inputs[3].node
        is_measured = measured.op == "RequantizationRange" and node.inputs[3:] == (measured.out(0), measured.out(1))
        if not is_measured or not _needs_zero(node):
            continue
        rectifier = next(iter(node.readers))
        if _can_swap(graph, node, measured, rectifier):
            _rectify_first(graph, node, measured, rectifier)
        else:
            high = emitter.op(node, "Relu", [measured.out(1)], f"{measured.name}_max")
            graph.set_inputs(node, [*node.inputs[:4], high.out()])


def _needs_zero(node: Node) -> bool:
    """Whether a reader of these 8-bit values, perhaps behind ops that keep their range, rectifies or pads."""
    for reader in node.readers:
        pads = reader.op == "QuantizedConv2D" and reader["padding"] == "SAME" and reader.inputs[0] == node.out()
        if pads or reader.op in _RECTIFIERS or (reader.op in _KEEPS_RANGE and _needs_zero(reader)):
            return True
    return False


def _can_swap(graph: Graph, node: Node, measured: Node, rectifier: Node) -> bool:
    alone = list(node.readers) == [rectifier] and list(measured.readers) == [node]
    free = not {node, measured, rectifier} & graph.held_nodes() and not (
        node.controls or measured.controls or rectifier.controls
    )
    reads_all = rectifier.inputs == tuple(node.out(k) for k in range(3)) and measured.inputs == node.inputs[:3]
    return rectifier.op in _RECTIFIERS and alone and free and reads_all and node["out_type"] == QUINT8


def _rectify_first(graph: Graph, node: Node, measured: Node, rectifier: Node) -> None:
    """relu(requantize(x)) → requantize(relu(x)): 32-bit ranges lie around 0, and the 8 bits are for what is left."""
    wide = node.inputs[:3]
    for port in range(3):
        graph.replace_value(rectifier.out(port), node.out(port))
    graph.replace_control(rectifier, [node])
    rectifier.attrs = {**rectifier.attrs, "Tinput": QINT32, "out_type": QINT32}
    rectifier.dtypes = (QINT32, *rectifier.dtypes[1:])
    graph.set_inputs(rectifier, wide)
    rectified: tuple[Value, ...] = tuple(rectifier.out(port) for port in range(3))
    graph.set_inputs(measured, rectified)
    graph.set_inputs(node, (*rectified, *node.inputs[3:]))
