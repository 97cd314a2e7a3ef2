"""Layers whose small numbers count as much as large ones, because a logarithm reads them."""

from __future__ import annotations

from tfpare.ir.graph import Node
from tfpare.quant.units import LINEAR_OPS, OTHER_LINEAR_OPS

REASON = "a logarithm reads it, and shows the rounding of small numbers"
_LOGARITHMS = ("Log", "Log1p")
_LAYERS = frozenset((*LINEAR_OPS, *OTHER_LINEAR_OPS))
_LINEAR = frozenset(
    "Add AddV2 AddN Sub Neg Mul RealDiv BiasAdd Mean Sum AvgPool ConcatV2 Pack Split SplitV Slice StridedSlice "
    "GatherV2 Pad PadV2 MirrorPad Reshape Squeeze ExpandDims Transpose Identity".split()
)


def feeds_logarithm(node: Node, *, linear: bool = True) -> bool:
    """Whether a logarithm reads a layer's result.

    Linear ops may lie between, as in filter banks; behind an activation no further layer may.

    Args:
        node: the layer's last.
        linear: whether the layer ends without an activation.
    """
    stack = [(reader, linear) for reader in node.readers]
    seen = set(stack)
    while stack:
        one, is_linear = stack.pop()
        if one.op in _LOGARITHMS:
            return True
        if not is_linear and one.op in _LAYERS:
            continue
        below = is_linear and (one.op in _LAYERS or one.op in _LINEAR)
        new = [(r, below) for r in one.readers if (r, below) not in seen]
        seen.update(new)
        stack.extend(new)
    return False
