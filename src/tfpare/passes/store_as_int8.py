"""Weights at a quarter of the bytes: 8 bits in the file, floats in the arithmetic."""

from __future__ import annotations

from tfpare.engine.rule import Effect
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.quant.store import store_weights


@register(effect=Effect.LOSSY, after=("compute_in_int8", "compute_in_bfloat16"))
def store_as_int8(model: Model, options: PassOptions) -> PassResult:
    """w = Cast(q) · scale: kernels with a scale per output channel, embedding tables with one per row.

    Part of `--precision int8`, for what does not compute in 8 bits; all of what `--weights-only` does. TensorFlow turns
    kernels back while it loads the model; of an embedding table only the rows that are looked up, in every call.

    Declines when: the weights are fed, an output or ordered by control edges; float was asked for; a logarithm reads
    the layer; they are 10 MiB or more in float32 and no table; they hold NaN or infinity.
    Source: TensorFlow's constant folding at load, which stops at 10 MiB.
    """
    result = PassResult()
    kept = [glob for glob, precision in options.int8.precisions.items() if precision != "int8"]
    for graph in model.all_graphs():
        result.applied += store_weights(graph, kept, result)
    if result.applied:
        result.notes.append(
            f"int8: {result.applied} weights are stored in 8 bits and computed with in float. TensorFlow turns kernels "
            "back while it loads the model, so that memory and speed are those of floats."
        )
    return result
