"""What rounding a kernel adds to a layer's mean result is taken away from its bias.

    E[conv(x, Ŵ)] − E[conv(x, W)] = conv(E[x], Ŵ − W)

Rounding errors of a kernel do not cancel: a channel with few weights (a depthwise one has nine) and inputs of one sign
(behind Relu) moves by a constant, which is most of what 8 bits cost MobileNets. That fewer weights see an input where a
convolution pads is left out of account.

Source: Nagel et al. 2019, arXiv:1906.04721, section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tfpare.ir.graph import Value
from tfpare.ir.types import Array
from tfpare.quant.choice import MeasuredRange, Range
from tfpare.quant.units import Unit, channel_axes, float_kernel


def correct_bias(unit: Unit, ranges: Mapping[Value, Range]) -> Unit:
    """The unit with a correction, where the means of its input's channels are known."""
    seen = ranges.get(unit.x)
    means = seen.means if isinstance(seen, MeasuredRange) else None
    error = unit.kernel.dequantized(channel_axes(unit.linear)) - float_kernel(unit.linear)
    if means is None or means.size != error.shape[-2]:
        return unit
    return replace(unit, correction=-_mean_result(unit.linear.op, error, means))


def _mean_result(op: str, kernel: Array, means: Array) -> Array:
    """What a constant input gives, [channels] float64: of HWIO, HWIM (depthwise) or [in, out]."""
    taps = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
    return np.asarray((taps * means[:, np.newaxis]).reshape(-1) if op == "DepthwiseConv2dNative" else means @ taps)
