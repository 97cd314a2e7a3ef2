"""An 8-bit convolution and the Requantize of its 32-bit result → one op."""

from __future__ import annotations

import numpy as np

from tfpare.compat.eightbit.emit import QUINT8, Emitter
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Declined, Effect, require
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import dtype
from tfpare.passes.base import PassResult

QINT8 = dtype("qint8")
_FUSED_TYPE = {
    "QuantizedConv2D": QINT8,
    "QuantizedConv2DWithBias": QINT8,
    "QuantizedConv2DAndRelu": QUINT8,
    "QuantizedConv2DWithBiasAndRelu": QUINT8,
}
_COPIED = ("strides", "padding", "dilations", "padding_list")
_KEEPS_LIMITS = ("QuantizedMaxPool", "QuantizedAvgPool", "QuantizedReshape")


@transform(effect=Effect.LOSSY)
def fuse_quantized_conv_and_requantize(work: Work) -> None:
    """Requantize(C(x, k, …), low, high) with constant limits → CAndRequantize(x, k, …, low, high), under its name.

    C is QuantizedConv2D, QuantizedConv2DWithBias, QuantizedConv2DAndRelu or QuantizedConv2DWithBiasAndRelu, with a
    qint8 kernel. These ops run where TensorFlow uses oneDNN, as it does by default on x86.

    Differs: the fused ops count in equal steps from 0, so that a range becomes [−m, m], m = max(|low|, |high|), or
    [0, high] behind a Relu (the original keeps limits that the numbers do not have); inputs whose lowest value may not
    be 0 are left alone, and so are results that are read elsewhere; biases stay float, for the kernel scales them
    itself. QuantizedConv2DWithBiasSumAndRelu is left alone: its kernels end the process in TensorFlow 2.21.
    Source: the Graph Transform Tool's fuse_quantized_conv_and_requantize.
    """
    result = PassResult()
    for graph in work.model().all_graphs():
        emitter = Emitter(graph, "fuse_quantized_conv_and_requantize")
        for node in [n for n in graph.topological() if n.op == "Requantize"]:
            try:
                _check(graph, node)
            except Declined as declined:
                result.decline(declined.reason, declined.at.name)
            else:
                _fuse(emitter, node)
        graph.sweep()
    for reason, count in result.declined.items():
        where = result.examples[reason]
        work.notes.append(f"fuse_quantized_conv_and_requantize left {count} nodes, such as {where!r}: {reason}.")


def _check(graph: Graph, node: Node) -> None:
    conv, needed = node.inputs[0].node, graph.output_nodes() | {v.node for v in graph.fed} | graph.pinned
    require(conv.op in _FUSED_TYPE, "it reads no convolution that can be fused", at=node)
    require(node.inputs[:3] == tuple(conv.out(k) for k in range(3)), "it reads something else too", at=node)
    require(list(conv.readers) == [node] and conv not in needed, "the 32-bit result is read elsewhere", at=node)
    require(node not in {v.node for v in graph.fed} | graph.pinned, "callers replace its value", at=node)
    require(conv["Tfilter"] == QINT8, "the fused op takes qint8 kernels alone", at=node)
    require(node["out_type"] == _FUSED_TYPE[conv.op], f"the fused op gives {_FUSED_TYPE[conv.op]} alone", at=node)
    limits = [None if v in graph.fed else v.constant for v in node.inputs[3:]]
    require(all(c is not None and c.size == 1 for c in limits), "its range is not constant", at=node)
    require(float(np.max([c for c in limits if c is not None])) > 0, "its range has nothing above 0", at=node)
    low = conv.inputs[len(conv.inputs) - 4]
    require(conv["Tinput"] == QUINT8 and _is_zero(graph, low), "the input's lowest value may not be 0", at=node)


def _is_zero(graph: Graph, low: Value) -> bool:
    """Whether the lower limit of a range is 0, whatever the graph is fed."""
    node = low.node
    if low in graph.fed:
        return False
    if low.constant is not None:
        return low.constant.size == 1 and float(low.constant.ravel()[0]) == 0.0
    source = {"Requantize": 3, "QuantizeV2": 1}.get(node.op, -2)
    knows = source != -2 or node.op in _KEEPS_LIMITS or node.op.endswith("AndRequantize")
    return knows and low.index == 1 and _is_zero(graph, node.inputs[source])


def _fuse(emitter: Emitter, node: Node) -> None:
    conv = node.inputs[0].node
    low, high = (float(v.constant.ravel()[0]) for v in node.inputs[3:] if v.constant is not None)
    reach = high if _FUSED_TYPE[conv.op] == QUINT8 else max(abs(low), abs(high))
    limits = [
        _limit(emitter, node, wanted, old, end)
        for wanted, old, end in (
            (0.0 if _FUSED_TYPE[conv.op] == QUINT8 else -reach, node.inputs[3], "min"),
            (reach, node.inputs[4], "max"),
        )
    ]
    attrs = {key: conv[key] for key in _COPIED if key in conv.attrs}
    emitter.graph.set_controls(node, [*node.controls, *conv.controls])
    emitter.become(node, f"{conv.op}AndRequantize", [*conv.inputs, *limits], out_type=node["out_type"], **attrs)


def _limit(emitter: Emitter, node: Node, wanted: float, old: Value, end: str) -> Value:
    if old.constant is not None and old.constant.ndim == 0 and float(old.constant) == wanted:
        return old
    return emitter.const(node, np.array(wanted, np.float32), f"{node.name}/{end}", alive=node.inputs[0])
