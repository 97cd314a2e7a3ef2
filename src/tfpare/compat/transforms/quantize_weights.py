"""Large float constants → 8-bit constants and a Dequantize, for a file of a quarter of the size."""

from __future__ import annotations

import numpy as np

from tfpare.compat.eightbit.numerics import quantizable_range, to_eight_bits
from tfpare.compat.eightbit.weights import FloatConstant, float_constants
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.io import attrs as attr_io
from tfpare.ir.types import dtype

QUINT8, FLOAT32 = dtype("quint8"), dtype("float32")


@transform(effect=Effect.LOSSY)
def quantize_weights(work: Work, *, minimum_size: int = 1024) -> None:
    """Stores float32 constants of `minimum_size` or more elements as quint8, read through a Dequantize of their name.

    X = Dequantize(X_quantized_const, X_quantized_min, X_quantized_max), mode MIN_FIRST. The range is widened to contain
    0, which stays exact. Constants in function bodies are stored so too.

    This makes files smaller, not models faster: the runtime computes the floats again, at load or at every call.

    Differs: zeros stay zeros (the original gives them the range [0, 1.2e-38] and NaN as result); constants keep their
    control inputs, so that while loops still run; NaN, infinities and ranges that 8 bits cannot hold stay float, and so
    do constants that are fed; names that are taken are not used twice.
    Source: the Graph Transform Tool's quantize_weights.
    """
    for constant in float_constants(work, minimum_size):
        limits = quantizable_range(constant.array)
        if limits is None:
            work.notes.append(f"{constant.node_def.name} stays float: 8 bits cannot hold its values.")
        else:
            _quantize(constant, *limits)


def _quantize(constant: FloatConstant, low: float, high: float) -> None:
    """The constant's node becomes a Dequantize of three new constants."""
    node_def = constant.node_def
    parts = {
        "const": (to_eight_bits(constant.array, low, high), QUINT8),
        "min": (np.array(low, np.float32), FLOAT32),
        "max": (np.array(high, np.float32), FLOAT32),
    }
    refs = [constant.add_beside(f"{node_def.name}_quantized_{part}", *value) for part, value in parts.items()]
    del node_def.input[:]
    node_def.input.extend(refs)
    node_def.op = "Dequantize"
    node_def.attr.clear()
    attr_io.encode(QUINT8, node_def.attr["T"])
    attr_io.encode("MIN_FIRST", node_def.attr["mode"])
