"""Which nodes can change from one float type to another, and which of their inputs and outputs then do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfpare.engine.rule import require
from tfpare.ir.graph import Graph, Node
from tfpare.ir.ops import OpSpec
from tfpare.ir.types import Attr, DType

_STATISTICS = {"FusedBatchNormV2": "U", "FusedBatchNormV3": "U"}  # scales, means: no kernel takes narrower ones


@dataclass(frozen=True, slots=True)
class Retyping:
    """A node in another type.

    Attributes:
        attrs: type attributes that change.
        inputs, outputs: positions and ports that get the new type.
    """

    attrs: dict[str, Attr]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def retyping(graph: Graph, node: Node, old: DType, new: DType) -> Retyping | None:
    """What changes when a node computes in `new` instead of `old`; None where nothing does.

    Raises:
        Declined: the node has to stay as it is.
    """
    spec = node.spec
    if spec is None:
        return None
    wide = _STATISTICS.get(node.op) if _bytes(new) < _bytes(old) else None
    attrs: dict[str, Attr] = {k: new for k in _type_attrs(spec) if node.get(k) == old and k != wide}
    if not attrs:
        return None
    require(node not in graph.pinned, "it is pinned", at=node)
    require(all(node.out(k) not in graph.fed for k in range(len(node.dtypes))), "a caller feeds it", at=node)
    after = {**node.attrs, **attrs}
    inputs, outputs = spec.input_dtypes(after), spec.output_dtypes(after)
    return Retyping(
        attrs,
        tuple(k for k, v in enumerate(node.inputs) if v.dtype.base != inputs[k].base),
        tuple(k for k, before in enumerate(node.dtypes) if before.base != outputs[k].base),
    )


def _bytes(type_: DType) -> int:
    return np.dtype(type_.numpy).itemsize


def _type_attrs(spec: OpSpec) -> set[str]:
    return {a.type_attr for a in (*spec.inputs, *spec.outputs) if a.type_attr}
