"""Ops that pass 8-bit numbers on: they pick, move or average elements, so that the result has the input's grid."""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Node, Value

POOLS = {"MaxPool": "QuantizedMaxPool", "AvgPool": "QuantizedAvgPool"}
SHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims", "Identity"})
"""Their result shares the memory of their input."""
_PADS = frozenset({"Pad", "PadV2"})


def moved_inputs(node: Node) -> tuple[Value, ...]:
    """The float inputs that the op passes on, none where it does not, or where no 8-bit kernel does that."""
    if not node.inputs or len(node.dtypes) != 1 or node.dtypes[0].name != "float32":
        return ()
    if node.op in SHAPES:
        return node.inputs[:1]
    if node.op == "ConcatV2":
        return node.inputs[:-1]
    if node.op in POOLS:
        return node.inputs[:1] if _is_plain_pool(node) else ()
    return node.inputs[:1] if node.op in _PADS and _pads_zeros(node) else ()


def _is_plain_pool(node: Node) -> bool:
    """Whether it pools height and width alone, in NHWC and without explicit padding, as the 8-bit kernel does."""
    ksize, strides = node["ksize"], node["strides"]
    if not isinstance(ksize, tuple) or not isinstance(strides, tuple) or len(ksize) != 4 or len(strides) != 4:
        return False
    flat = ksize[0] == ksize[3] == strides[0] == strides[3] == 1
    return flat and node["data_format"] == "NHWC" and node["padding"] in ("SAME", "VALID")


def _pads_zeros(node: Node) -> bool:
    if node.inputs[1].constant is None:
        return False
    value = node.inputs[2].constant if node.op == "PadV2" else np.zeros(())
    return value is not None and not np.any(value)
