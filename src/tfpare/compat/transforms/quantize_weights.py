"""Large float constants → 8-bit constants and a Dequantize, for a file of a quarter of the size."""

from __future__ import annotations

import numpy as np

from tfpare.compat.eightbit.numerics import axis_of_outliers, quantizable_range, to_eight_bits, to_signed_slices
from tfpare.compat.eightbit.weights import FloatConstant, float_constants
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.io import attrs as attr_io
from tfpare.ir.types import Array, Attr, DType, dtype

QUINT8, QINT8, FLOAT32 = dtype("quint8"), dtype("qint8"), dtype("float32")


@transform(effect=Effect.LOSSY)
def quantize_weights(work: Work, *, minimum_size: int = 1024) -> None:
    """Stores float32 constants of `minimum_size` or more elements as quint8, read through a Dequantize of their name.

    X = Dequantize(X_quantized_const, X_quantized_min, X_quantized_max), mode MIN_FIRST. The range is widened to contain
    0, which stays exact. Constants in function bodies are stored so too.

    This makes files smaller, not models faster: the runtime computes the floats again, at load or at every call.

    Where an outlier would leave most channels less than 4 bits, each channel has a range of its own: the constant is
    qint8, X_quantized_max holds a number per channel, and the Dequantize has mode SCALED and an axis.

    Differs: an outlier spoils its own channel alone; zeros stay zeros (the original gives them the range [0, 1.2e-38]
    and NaN as result); constants keep their control inputs, so that while loops still run; NaN, infinities and ranges
    that 8 bits cannot hold stay float, and so do constants that are fed; names that are taken are not used twice.
    Source: the Graph Transform Tool's quantize_weights.
    """
    for constant in float_constants(work, minimum_size):
        limits = quantizable_range(constant.array)
        if limits is None:
            work.notes.append(f"{constant.node_def.name} stays float: 8 bits cannot hold its values.")
        else:
            _quantize(constant, *limits)


def _quantize(constant: FloatConstant, low: float, high: float) -> None:
    axis = axis_of_outliers(constant.array)
    if axis is None:
        numbers = to_eight_bits(constant.array, low, high)
        _replace(constant, numbers, QUINT8, np.array(low), np.array(high), {"mode": "MIN_FIRST"})
    else:
        numbers, peaks = to_signed_slices(constant.array, axis)
        _replace(constant, numbers, QINT8, -peaks, peaks, {"mode": "SCALED", "axis": axis})


def _replace(
    constant: FloatConstant, numbers: Array, type_: DType, low: Array, high: Array, attrs: dict[str, Attr]
) -> None:
    """The constant's node becomes a Dequantize of three new constants."""
    node_def = constant.node_def
    parts = {
        "const": (numbers, type_),
        "min": (low.astype(np.float32), FLOAT32),
        "max": (high.astype(np.float32), FLOAT32),
    }
    refs = [constant.add_beside(f"{node_def.name}_quantized_{part}", *value) for part, value in parts.items()]
    constant.body.set_inputs(node_def, refs, ())
    node_def.op = "Dequantize"
    node_def.attr.clear()
    for key, value in {"T": type_, **attrs}.items():
        attr_io.encode(value, node_def.attr[key])
