"""Convolutions and MatMuls in 8 bits, with ranges that data or training gave."""

from __future__ import annotations

from tfpare import runtime
from tfpare.engine.rule import Effect
from tfpare.io.entries import entry_graph
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.quant.calibrate import Task, calibrate, tensor_name
from tfpare.quant.choice import Range
from tfpare.quant.emit import emit
from tfpare.quant.equalize import apply_factors, rename
from tfpare.quant.fake_quants import put_back, take_ranges
from tfpare.quant.options import QuantOptions
from tfpare.quant.portable import emit_portable
from tfpare.quant.probe import check_kernels
from tfpare.quant.samples import calibrated_signature, entry_feeds, fitted, open_samples
from tfpare.quant.saturation import add_guard, decided
from tfpare.quant.scheme import candidates, make_scheme, wanted_ranges

NEEDS = (
    "int8: the result needs a TensorFlow that was built with oneDNN, as those for x86 CPUs are; TF_ENABLE_ONEDNN_OPTS "
    "does not matter. Others fail with \"No OpKernel was registered to support Op '_FusedQuantized…'\". It is fastest "
    "with AVX512-VNNI, AVX-VNNI or AMX. --portable writes one that runs anywhere."
)
REDUCED = (
    "int8: kernels use −64…64 instead of −127…127, with which sums are right on every x86 CPU; --no-reduce-range makes "
    "one for CPUs with AVX512-VNNI, AVX-VNNI or AMX alone, a bit more exact."
)
GUARDED = (
    "int8: CPUs without AVX512-VNNI, AVX-VNNI or AMX add the products of these kernels with overflow, so the model "
    'asks the CPU when it is called, and fails there with "This CPU adds 8-bit products with overflow". --reduce-range '
    "makes one for every x86 CPU."
)


@register(effect=Effect.LOSSY, after=("fold_constants",))
def compute_in_int8(model: Model, options: PassOptions) -> PassResult:
    """act(conv(x, K) + b + r) in 8 bits: x = (q − z)·s unsigned, K signed with a scale per output channel.

    Asked for by `--precision int8`. Ranges come from `--data`, or from the FakeQuant ops of a model that was trained
    for 8 bits. Bias, activation and a residual sum are part of the op; pools, Pad, Concat and Reshape between two such
    ops pass the 8 bits on. What stays in float has its weights stored in 8 bits, see `store_as_int8`; so has everything
    without data. See docs/quantization.md.

    Declines when: it is the first layer or a last one, a logarithm reads it, no range is known, the layout is NCHW, the
    op has no 8-bit kernel, callers feed or replace an inner value, or it lies in a loop or branch.
    Source: Jacob et al. 2018, arXiv:1712.05877 (the grid); oneDNN's documentation of int8 inference.
    """
    result, settings = PassResult(), options.int8
    scaled: list[tuple[Graph, list[Node]]] = []
    for graph in model.graphs:
        trained = take_ranges(graph, result)
        if settings.data or settings.ranges or trained:
            settings = decided(settings)
            runtime.infer_shapes(graph)
            scaled.append((graph, apply_factors(graph, settings.factors)))
            ranges = {**_ranges(model, graph, options, settings, result), **trained}
            result.applied += _quantize(graph, ranges, settings, result)
            put_back(graph, trained)
    if any(n.made_by == "quantize" for g in model.graphs for n in g) and not settings.portable:
        result.notes += [NEEDS, REDUCED if settings.reduce_range else GUARDED]
    for graph, nodes in scaled:
        rename(graph, nodes)
    return result


def _quantize(graph: Graph, ranges: dict[Value, Range], settings: QuantOptions, result: PassResult) -> int:
    scheme = make_scheme(graph, ranges, settings)
    for reason, count in scheme.result.declined.items():
        result.declined[reason] += count
        result.examples.setdefault(reason, scheme.result.examples[reason])
    if not scheme.units:
        return 0
    if settings.portable:
        done = emit_portable(graph, scheme)
    else:
        check_kernels({u.linear.op for u in scheme.units})
        done = emit(graph, scheme)
        if not settings.reduce_range:
            add_guard(graph, scheme)
    result.notes.append(
        f"int8: {done} layers compute in 8 bits, {len(scheme.moves)} ops between them pass 8 bits on; "
        f"{len(scheme.borders)} tensors are quantized where a float op gives them"
    )
    return done


def _ranges(
    model: Model, graph: Graph, options: PassOptions, settings: QuantOptions, result: PassResult
) -> dict[Value, Range]:
    """Ranges of the graph that the samples' signature enters: known ones, or from data."""
    settings = fitted(model, settings) if settings.data else settings
    signature = calibrated_signature(model, settings) if settings.data or settings.ranges else None
    if signature is None or entry_graph(model, signature) != graph.name:
        return {}
    tensors = wanted_ranges(candidates(graph, settings, PassResult()))
    if settings.ranges:
        return {v: settings.ranges[tensor_name(v)] for v in tensors if tensor_name(v) in settings.ranges}
    task = Task(model, graph, entry_feeds(model, signature), tensors, settings.data_options.constants)
    found = calibrate(task, open_samples(model, settings), settings, options.progress)
    result.notes.extend(f"int8: {note}" for note in found.notes)
    if found.samples:
        result.notes.append(
            f"int8: {found.samples} samples calibrated {len(found.ranges)} ranges, by {settings.calibration}"
        )
    return found.ranges
