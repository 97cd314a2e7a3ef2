"""Weights stored in 8 bits, computed with in float: w = Cast(q) · scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, dtype
from tfpare.passes.base import MAX_FOLDED_BYTES, PassResult
from tfpare.precision.rounding import kernel_axes
from tfpare.quant.logarithms import REASON, feeds_logarithm
from tfpare.quant.numerics import QuantizedKernel, quantize_kernel

MADE_BY = "store_as_int8"
_SMALLEST_ELEMENTS = 1024  # the nodes that turn them back take as many bytes in the file as are saved on fewer
_FLOAT, _HALF = dtype("float32"), dtype("bfloat16")
_RENAMED = re.compile(r"(/(equalized|bfloat16)(_\d+)?)+$")  # what passes append to the names that users know


def store_weights(graph: Graph, kept: Sequence[str], result: PassResult) -> int:
    """Stores kernels and embedding tables that are in float; returns how many.

    A kernel is turned back by TensorFlow's constant folding while it loads the model, which stops at 10 MiB: a larger
    one would be turned back in every call, and stays. Of an embedding table only the rows that are looked up are.

    Args:
        graph: to change.
        kept: globs of layers whose weights stay as they are.
        result: counts what is declined.
    """
    stored = 0
    for node in [n for n in graph if n.op == "Const" and n.dtypes[0] in (_FLOAT, _HALF)]:
        array = node.out().constant
        if array is None or array.size < _SMALLEST_ELEMENTS or not node.readers:
            continue
        readers = list(node.readers)
        if any(v.node is node for v in (*graph.fed, *graph.outputs.values())) or node in graph.pinned or node.controls:
            result.decline("the weights are fed, an output or ordered by control edges", node.name)
        elif any(fnmatchcase(_RENAMED.sub("", r.name), glob) for r in readers for glob in kept):
            result.decline("float was asked for", node.name)
        elif all(_is_lookup(r, node) for r in readers):
            stored += _store_table(graph, node, array, result)
        elif any(feeds_logarithm(r) for r in readers):
            result.decline(REASON, node.name)
        elif (axes := _kernel_axes(readers, node)) is not None:
            stored += _store_kernel(graph, node, array, axes, result)
    graph.sweep()
    return stored


def _is_lookup(reader: Node, table: Node) -> bool:
    if reader.op == "Gather":
        return reader.inputs[0].node is table and table not in reader.controls
    if reader.op != "GatherV2" or reader.inputs[0].node is not table or table in reader.controls:
        return False
    axis = reader.inputs[2].constant
    return axis is not None and not np.any(axis) and not reader.get("batch_dims", 0)


def _kernel_axes(readers: list[Node], kernel: Node) -> tuple[int, ...] | None:
    """Along which axes the output channels lie, if all readers agree."""
    found = {
        kernel_axes(r) for r in readers if len(r.inputs) > 1 and r.inputs[1].node is kernel and kernel not in r.controls
    }
    plain = all(len(r.inputs) > 1 and r.inputs[1].node is kernel and r.inputs[0].node is not kernel for r in readers)
    return found.pop() if plain and len(found) == 1 else None


def _store_kernel(graph: Graph, node: Node, array: Array, axes: tuple[int, ...], result: PassResult) -> int:
    if array.size * 4 >= MAX_FOLDED_BYTES:
        result.decline("weights of 10 MiB or more would be turned back in every call", node.name)
        return 0
    quantized = _quantized(array, axes, node, result)
    if quantized is None:
        return 0
    shape = [array.shape[k] if k in axes else 1 for k in range(array.ndim)]
    values = _const(graph, node, quantized.values, "int8")
    scale = _const(graph, node, quantized.scales.reshape(shape), "scale")
    graph.replace_value(node.out(), _scaled(graph, node, values, scale))
    return 1


def _store_table(graph: Graph, node: Node, array: Array, result: PassResult) -> int:
    """Row by row: gather(table, i) = Cast(gather(q, i)) · gather(scale, i)."""
    if array.ndim < 2:
        result.decline("a table of numbers alone has no rows", node.name)
        return 0
    quantized = _quantized(array, (0,), node, result)
    if quantized is None:
        return 0
    values = _const(graph, node, quantized.values, "int8")
    scales = quantized.scales.reshape(-1, *(1 for _ in array.shape[1:]))
    scale = _const(graph, node, scales.astype(np.float32), "scale")
    for reader in list(node.readers):
        rows = _gather(graph, reader, values)
        factors = _gather(graph, reader, scale)
        graph.replace_value(reader.out(), _scaled(graph, reader, rows, factors))
        graph.replace_control(reader, [rows.node])
    return 1


def _quantized(array: Array, axes: tuple[int, ...], node: Node, result: PassResult) -> QuantizedKernel | None:
    try:
        return quantize_kernel(array.astype(np.float32), axes)
    except ValueError as error:
        result.decline(str(error), node.name)
        return None


def _const(graph: Graph, like: Node, array: Array, what: str) -> Value:
    value = graph.const(array, name=f"{like.name}/{what}", made_by=MADE_BY)
    value.node.device = like.device
    return value


def _gather(graph: Graph, reader: Node, table: Value) -> Value:
    attrs = {k: v for k, v in reader.attrs.items() if not k.startswith("_")} | {"Tparams": table.dtype}
    inputs = [table, *reader.inputs[1:]]
    name = f"{reader.name}/{table.dtype.name}"
    return graph.add(reader.op, inputs, attrs, name=name, device=reader.device, made_by=MADE_BY).out()


def _scaled(graph: Graph, like: Node, values: Value, scale: Value) -> Value:
    attrs = {"SrcT": dtype("int8"), "DstT": _FLOAT}
    name = f"{like.name}/float32"
    cast = graph.add("Cast", [values], attrs, name=f"{name}/cast", device=like.device, made_by=MADE_BY)
    product = graph.add("Mul", [cast.out(), scale], {"T": _FLOAT}, name=name, device=like.device, made_by=MADE_BY)
    product.shapes = like.shapes
    if like.dtypes[0] == _FLOAT:
        return product.out()
    attrs = {"SrcT": _FLOAT, "DstT": like.dtypes[0]}
    name = f"{like.name}/{like.dtypes[0]}"
    half = graph.add("Cast", [product.out()], attrs, name=name, device=like.device, made_by=MADE_BY)
    half.shapes = like.shapes
    return half.out()
