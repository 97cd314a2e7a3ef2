"""Float ops → the runtime's 8-bit reference ops."""

from __future__ import annotations

from dataclasses import replace

from tfpare import runtime
from tfpare.compat.eightbit import cleanup, fake_quants, quantizer, zeros
from tfpare.compat.eightbit.ranges import range_argument
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph
from tfpare.ir.model import TensorInfo
from tfpare.ir.types import dtype
from tfpare.passes.base import PassResult
from tfpare.pipeline import StepReport


@transform(effect=Effect.LOSSY)
def quantize_nodes(
    work: Work,
    *,
    input_min: float | None = None,
    input_max: float | None = None,
    fallback_min: float | None = None,
    fallback_max: float | None = None,
    ignore_op: tuple[str, ...] = (),
) -> None:
    """Computes ops with 8 bits, between QuantizeV2 and Dequantize, but those named by `ignore_op`.

    These are Add, AddV2, AvgPool, BiasAdd, Concat, ConcatV2, Conv2D, MatMul, MaxPool, Mul, Relu, Relu6, Reshape and
    ResizeBilinear, which become QuantizedAdd and so on; a float op X is X/eightbit then, and X its result as floats.
    Inputs are quantized over the range that they have at run time; 32-bit results over the range that they have, or
    over `fallback_min` … `fallback_max`. FakeQuantWithMinMaxVars with constant limits and 8 bits sets the range of what
    it reads. With `input_min` and `input_max`, callers feed float placeholders as quint8 over that range. Between two
    quantized ops values stay in 8 bits.

    These are the runtime's reference kernels: the result is usually slower than the float graph.

    Differs: AddV2 and ConcatV2 are known; half_pixel_centers is kept; ops stay float where the quantized kernel would
    compute something else (dilations, NCHW, explicit padding, unequal strides, groups, most broadcasting) or has no
    range (empty tensors); values of which all are negative keep a 0 for rectifiers and padding, so that a rectifier
    runs on 32 bits before the range is measured; a FakeQuant moves only over ops that it commutes with, and stays if it
    has not 8 bits or no range around 0; control inputs stay control inputs; an op may read one tensor twice; input
    ranges are for float placeholders alone; functions are quantized too; what nobody reads any more is removed.
    Source: the Graph Transform Tool's quantize_nodes.
    """
    inputs = range_argument("input", input_min, input_max, needs_zero=False)
    fallback = range_argument("fallback", fallback_min, fallback_max, needs_zero=True)
    result = PassResult()
    if inputs is not None:
        for graph in work.model().graphs:
            _change_types(work, quantizer.quantize_placeholders(graph, inputs, result))
    for graph in work.model().all_graphs():
        _quantize(graph, ignore_op, fallback, result)
    work.simplify(passes=["merge_duplicates"])
    for graph in work.model().all_graphs():
        cleanup.remove_round_trips(graph)
        graph.sweep()
        zeros.keep_zero_in_ranges(graph)
    _report(work, result)


def _quantize(graph: Graph, ignored: tuple[str, ...], fallback: quantizer.Range | None, result: PassResult) -> None:
    runtime.infer_shapes(graph)
    fake_quants.hoist_fake_quants(graph, PassResult())
    fake_quants.quantize_fake_quants(graph, result)
    quantizer.quantize_ops(graph, ignored, fallback, result)
    fake_quants.merge_requantizations(graph)
    graph.sweep()


def _change_types(work: Work, tensors: list[str]) -> None:
    """Signatures say what callers feed now."""

    def changed(info: TensorInfo) -> TensorInfo:
        is_changed = len(info.tensors) == 1 and info.tensors[0] in tensors and info.dtype.name == "float32"
        return replace(info, dtype=dtype("quint8")) if is_changed else info

    for name, one in work.signatures.items():
        work.signatures[name] = replace(one, inputs={key: changed(info) for key, info in one.inputs.items()})


def _report(work: Work, result: PassResult) -> None:
    report = StepReport("quantize_nodes", "transform", Effect.LOSSY.value)
    report.add(result)
    work.reports.setdefault(report.name, StepReport(report.name, report.kind, report.effect)).merge(report)
    for reason, count in result.declined.items():
        where = result.examples[reason]
        work.notes.append(f"quantize_nodes left {count} nodes in float, such as {where!r}: {reason}.")
