"""Convolutions and dense layers in bfloat16, for CPUs that multiply it."""

from __future__ import annotations

from collections.abc import Callable

from tfpare import runtime
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.precision import ops
from tfpare.precision.apply import Converter
from tfpare.precision.choice import BFLOAT16, FLOAT32, Candidates, choose


@register(effect=Effect.LOSSY, after=("fold_constants",))
def compute_in_bfloat16(model: Model, options: PassOptions) -> PassResult:
    """y = conv(x, K) = Cast(conv(Cast(x, bfloat16), bfloat16(K)), float32), with Casts at the borders of regions alone.

    Asked for by `--precision bf16`. Weights are stored as bfloat16, half the file, each rounded to one of its two
    neighbours so that the sum over an output channel's inputs stays (`tfpare.precision.rounding`).
    Inputs, outputs and variables keep their type, functions and loops that of their arguments.

    Which nodes change is a minimum cut of the graph: what each contraction saves, what elementwise ops that TensorFlow
    does not fuse into one lose, and what Casts take, estimated from static shapes (batch 1 where it is free). So a
    dense layer between float32 ops stays as it is where two Casts would take longer than it saves.

    Declines when: float32 was asked for by name (`--keep-float`); the op is unsafe in bfloat16 (softmax, exponentials,
    logarithms, statistics of normalizations, sums of many terms); a caller feeds the value, or it is pinned; the rank
    is not known; a finite constant would become infinite; a contraction saves less than its Casts cost.
    Source: the role of lists and painted regions in Grappler's auto mixed precision, which works while a model is
    loaded, if it is switched on; Picard's reduction of choices between two labels to minimum cuts.
    """
    result = PassResult()

    def keeps(name: str) -> bool:
        return options.int8.precision_of(name) == "fp32"

    casts = contractions = left = 0
    for graph in model.all_graphs():
        changed, made = _convert(graph, keeps, result)
        contractions, casts = contractions + changed, casts + made
        left += sum(n.op in ops.CONTRACTIONS and n.dtypes[0].base == FLOAT32 for n in graph)
    if contractions:
        result.notes.append(
            f"bfloat16: {contractions} of {contractions + left} convolutions and matrix products, {casts} Casts; "
            "the CPU needs AVX512-BF16 or AMX-BF16, and oneDNN on (TensorFlow's default on Linux)"
        )
    else:
        result.notes.append("bfloat16: nothing would gain from it, the model stays as it is")
    return result


def _convert(graph: Graph, keeps: Callable[[str], bool], result: PassResult) -> tuple[int, int]:
    """Contractions that were converted, and Casts that were made."""
    runtime.infer_shapes(graph)
    candidates = Candidates(graph, keeps)
    chosen = choose(candidates)
    for node, reason in candidates.reasons.items():
        result.decline(reason, node.name)
    if not chosen:
        return 0, 0
    converter = Converter(graph, chosen, FLOAT32, BFLOAT16, "compute_in_bfloat16")
    converter.run()
    result.applied += len(chosen)
    return sum(n.op in ops.CONTRACTIONS for n in chosen), converter.casts
