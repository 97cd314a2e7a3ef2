"""Weights at half the bytes: float16 in the file, float32 in the arithmetic."""

from __future__ import annotations

import numpy as np

from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.ir.types import Array, dtype
from tfpare.passes.base import MAX_FOLDED_BYTES, PassOptions, PassResult, register

_MADE_BY = "store_as_float16"
_SMALLEST_ELEMENTS = 256  # a Cast takes about as many bytes in the file as are saved on fewer
_LARGEST = float(np.finfo(np.float16).max)
_SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)


@register(effect=Effect.LOSSY, after=("fold_constants",))
def store_as_float16(model: Model, options: PassOptions) -> PassResult:
    """w = Cast(float16(w), float32): weights rounded to 11 bits, half the file, the same arithmetic.

    Asked for by `--precision fp16`. TensorFlow's constant folding casts constants whose float32 form is under 10 MiB
    once, while it loads the model; memory and speed are then those of float32. Larger ones are cast in every call.

    Declines when: a caller feeds the constant, it has few elements, a value is too large for float16 (65504), or all
    are so small that float16 would keep fewer than 11 bits of them.
    Source: IEEE 754, binary16: 11 bits of precision from 6.1e-5 to 65504.
    """
    del options
    result = PassResult()
    large = 0
    for graph in model.all_graphs():
        for node in [n for n in graph if n.op == "Const" and n.dtypes[0].base == dtype("float32")]:
            array = node.out().constant
            if array is None or array.size < _SMALLEST_ELEMENTS:
                continue
            reason = _fixed(graph, node) or _misfit(array)
            if reason:
                result.decline(reason, node.name)
                continue
            _store(graph, node, array)
            large += array.nbytes >= MAX_FOLDED_BYTES
            result.applied += 1
    if large:
        result.notes.append(f"float16: {large} constants of 10 MiB or more are cast to float32 in every call")
    return result


def _fixed(graph: Graph, node: Node) -> str:
    return "a caller feeds it, or it is pinned" if node in graph.pinned or node.out() in graph.fed else ""


def _misfit(array: Array) -> str:
    finite = np.abs(array[np.isfinite(array)])
    largest = float(finite.max(initial=0.0))
    if largest > _LARGEST:
        return "a value is beyond the range of float16"
    return "all values are below the normal range of float16" if 0 < largest < _SMALLEST_NORMAL else ""


def _store(graph: Graph, node: Node, array: Array) -> None:
    half = graph.const(array.astype(np.float16), name=f"{node.name}/float16", made_by=_MADE_BY)
    half.node.device = node.device
    graph.set_controls(half.node, node.controls)
    attrs = {"SrcT": dtype("float16"), "DstT": dtype("float32")}
    shapes, device = node.shapes, node.device
    cast = graph.add("Cast", [half], attrs, name=f"{node.name}/float32", shapes=shapes, device=device, made_by=_MADE_BY)
    graph.replace_value(node.out(), cast.out())
    graph.replace_control(node, [half.node])
    graph.sweep()
