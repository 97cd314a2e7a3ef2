"""CPUs whose 8-bit sums overflow: without VNNI, kernels add two products in 16 bits and cut the sum there.

    255 · 127 + 255 · 127 = 64770 > 32767 = the largest int16          255 · 64 + 255 · 64 = 32640

The kernels say nothing: an answer is off by up to a half, on a shifted grid by all of it. So kernels keep to −64…64
where the machine needs that, and a model whose kernels use −127…127 asks the CPU that it runs on before it answers.

Source: oneDNN's documentation, "Nuances of int8 computations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from pydantic import TypeAdapter

from tfpare.errors import UnsupportedMachine
from tfpare.execution import ModelCrashed, Worker
from tfpare.io.op_registry import op_spec
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Attr, Shape, dtype
from tfpare.quant.emit import MADE_BY, emit
from tfpare.quant.machine_cache import MachineCache
from tfpare.quant.numerics import LEVELS, WEIGHT_LIMIT, Grid, QuantizedKernel
from tfpare.quant.options import QuantOptions
from tfpare.quant.planner import Scheme
from tfpare.quant.probe import evaluate
from tfpare.quant.units import LINEAR_OPS, SATURATING_OPS, Unit

ADVICE = (
    "This CPU adds 8-bit products with overflow: it has neither AVX512-VNNI nor AVX-VNNI nor AMX, which this model was "
    "made for. Make it again with: tfpare optimize --precision int8 --reduce-range"
)
_FOUND = TypeAdapter(dict[str, bool])
_IN, _OUT = 32, 16  # channels: as many as fill the registers of every kernel
_FLOAT = dtype("float32")
_SHAPES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "Conv2D": ((1, 1, 1, _IN), (1, 1, _IN, _OUT)),
    "DepthwiseConv2dNative": ((1, 3, 3, _IN), (3, 3, _IN, 1)),
    "MatMul": ((1, _IN), (_IN, _OUT)),
}
_ATTRS: Mapping[str, Mapping[str, Attr]] = {
    "Conv2D": {"padding": "VALID", "strides": (1, 1, 1, 1)},
    "DepthwiseConv2dNative": {"padding": "VALID", "strides": (1, 1, 1, 1)},
    "MatMul": {"transpose_a": False, "transpose_b": False},
}


def decided(options: QuantOptions) -> QuantOptions:
    """With `reduce_range` as this machine needs it, where the user left that open."""
    if options.reduce_range is not None or options.portable:
        return options
    return replace(options, reduce_range=bool(saturating_ops()))


def saturating_ops() -> frozenset[str]:
    """The ops whose 8-bit kernels overflow on this machine: found out in a child process, once a machine.

    A kernel that does not run at all is not among them; `tfpare.quant.probe` says what is wrong with it.
    """
    found = _found()
    if not found.known:
        found.known.update(_try_kernels())
        found.remember()
    return frozenset(op for op, overflows in found.known.items() if overflows)


@cache
def _found() -> MachineCache[bool]:
    return MachineCache("saturation", _FOUND.validate_json)


def _try_kernels() -> dict[str, bool]:
    found: dict[str, bool] = {}
    worker = Worker(program="tfpare.quant._worker")
    try:
        for op in LINEAR_OPS:
            try:
                found[op] = _saturates(op, worker)
            except UnsupportedMachine:
                found[op] = False
            except ModelCrashed:
                found[op] = False
                worker.close()
                worker = Worker(program="tfpare.quant._worker")
    finally:
        worker.close()
    return found


def _saturates(op: str, worker: Worker) -> bool:
    graph = Graph("main", op_spec)
    value, total = _largest_sum(graph, op, WEIGHT_LIMIT)
    (got,) = evaluate(worker, graph, {}, [value])
    return bool(got.min() < _least(total))


def add_guard(graph: Graph, scheme: Scheme, limit: int = WEIGHT_LIMIT) -> bool:
    """Makes what is quantized wait for an Assert that 8-bit sums are whole on the CPU that runs the model.

    Args:
        graph: that `emit` has rewritten.
        scheme: that it was rewritten by.
        limit: the largest magnitude of a weight.

    Returns:
        Whether there was anything to guard.
    """
    op = next((u.linear.op for u in scheme.units if u.linear.op in SATURATING_OPS), None)
    borders = [n for n in graph if n.op == "QuantizeV2" and n.made_by == MADE_BY]
    if op is None or not borders:
        return False
    value, total = _largest_sum(graph, op, limit)
    check = _assert_at_least(graph, value, _least(total))
    for border in borders:
        graph.set_controls(border, [*border.controls, check])
    return True


def _least(total: float) -> float:
    """Between the sum and what is left of it where products overflow, about a half."""
    return 0.75 * total


def _largest_sum(graph: Graph, op: str, limit: int) -> tuple[Value, float]:
    """A layer in 8 bits whose every product is the largest one; its result as floats, and what that has to be."""
    x_shape, kernel_shape = _SHAPES[op]
    x = graph.const(np.full(x_shape, LEVELS, np.float32), name="int8_check/x", made_by=MADE_BY)
    kernel = graph.const(np.full(kernel_shape, limit, np.float32), name="int8_check/kernel", made_by=MADE_BY)
    node = graph.add(op, [x, kernel], {"T": _FLOAT, **_ATTRS[op]}, name="int8_check/sum", made_by=MADE_BY)
    channels = _IN if op == "DepthwiseConv2dNative" else _OUT
    total = float(np.prod(kernel_shape)) / channels * LEVELS * limit
    node.shapes = (Shape((*(1 for _ in x_shape[:-1]), channels)),)
    made = QuantizedKernel(np.full(kernel_shape, limit, np.int8), np.ones(channels, np.float32), np.zeros(channels))
    unit = Unit(node, made, np.zeros(channels), None, "", (node,))
    reader = graph.add("Identity", [node.out()], {"T": _FLOAT}, name="int8_check/result", made_by=MADE_BY)
    graph.keep[reader] = None
    emit(graph, Scheme([unit], [], [x], {x: Grid(1.0, 0), unit.out: Grid(total / LEVELS, 0)}))
    del graph.keep[reader]
    reader.shapes = reader.inputs[0].node.shapes[:1]
    return reader.out(), total


def _assert_at_least(graph: Graph, value: Value, least: float) -> Node:
    bound = graph.const(np.array(least, np.float32), name="int8_check/least", made_by=MADE_BY)
    axes = graph.const(np.arange(len(value.shape.dims or ()), dtype=np.int32), name="int8_check/axes", made_by=MADE_BY)
    says = graph.const(np.array(ADVICE.encode(), object), name="int8_check/advice", type_=dtype("string"))
    smallest = graph.add(
        "Min", [value, axes], {"T": _FLOAT, "Tidx": dtype("int32"), "keep_dims": False}, name="int8_check/min"
    )
    holds = graph.add("GreaterEqual", [smallest.out(), bound], {"T": _FLOAT}, name="int8_check/holds")
    attrs: dict[str, Attr] = {"T": (dtype("string"),), "summarize": 1}
    check = graph.add("Assert", [holds.out(), says], attrs, name="int8_check")
    for node in (smallest, holds, says.node, check):
        node.made_by = MADE_BY
    smallest.shapes = holds.shapes = (Shape(()),)
    return check
