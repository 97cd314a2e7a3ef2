"""Which value a tensor's first dimension comes from, so that two tensors are known to have the same unknown batch."""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Graph, Node, Value

_KEEP_BATCH = frozenset(
    "Conv2D DepthwiseConv2dNative BiasAdd Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Softplus MaxPool AvgPool Identity "
    "FusedBatchNormV3 StopGradient Softmax Square Sqrt Rsqrt Exp Neg Abs".split()
)
_ELEMENTWISE = frozenset("Add AddV2 Sub Mul Maximum Minimum".split())


class BatchSources:
    """The source of every tensor's batch, through ops that surely keep it."""

    def __init__(self, graph: Graph) -> None:
        self._sources: dict[Value, Value] = {}
        for node in graph.topological():
            for port in range(len(node.dtypes)):
                above = self._above(node) if port == 0 else None
                self._sources[node.out(port)] = node.out(port) if above is None else self._sources[above]

    def same(self, first: Value, second: Value) -> bool:
        """Whether two tensors have the same batch, whatever it is."""
        return self._sources[first] == self._sources[second]

    def _above(self, node: Node) -> Value | None:
        """The input whose batch output 0 has."""
        if node.op in _KEEP_BATCH:
            return node.inputs[0] if (node.out().shape.rank or 0) > 1 else None
        if node.op in ("Pad", "PadV2", "MirrorPad"):
            paddings = node.inputs[1].constant
            return node.inputs[0] if paddings is not None and paddings.size and not np.any(paddings[0]) else None
        if node.op == "ConcatV2":
            return _of_concat(node)
        return self._of_elementwise(node) if node.op in _ELEMENTWISE else None

    def _of_elementwise(self, node: Node) -> Value | None:
        """A constant whose first dimension is 1, or that has fewer dimensions, does not change the batch."""
        first, second = node.inputs
        for other, value in ((first, second), (second, first)):
            rank, constant = value.shape.rank, other.constant
            if rank and constant is not None:
                return value if constant.ndim < rank or (constant.ndim == rank and len(constant) == 1) else None
        same_rank = first.shape.rank and first.shape.rank == second.shape.rank
        return first if same_rank and self.same(first, second) else None


def _of_concat(node: Node) -> Value | None:
    axis, rank = node.inputs[-1].constant, node.shapes[0].rank
    if axis is None or rank is None or int(axis.ravel()[0]) % rank == 0:
        return None
    return node.inputs[0]
