"""Estimates: nanoseconds that a node saves in bfloat16 (negative: costs), and what a Cast costs."""

from __future__ import annotations

import math

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Shape
from tfpare.precision import ops

_UNKNOWN_BATCH = 1  # latency matters most where a call is small
_UNKNOWN_DIMENSION = 64  # of images and sequences; gains and Casts grow with it alike
_SMALLEST_WEIGHTS = 256


def elements(shape: Shape) -> int:
    """How many elements a tensor has, a guess where dimensions are not known."""
    dims = shape.dims or ()
    known = [(_UNKNOWN_DIMENSION if k else _UNKNOWN_BATCH) if d is None else d for k, d in enumerate(dims)]
    return math.prod(known)


def cast_ns(value: Value) -> float:
    """What a Cast of the value takes."""
    return ops.NS_PER_CAST + ops.NS_PER_CAST_ELEMENT * elements(value.shape)


def saved_ns(graph: Graph, node: Node) -> float:
    """What computing the node in bfloat16 saves, Casts left aside."""
    return _arithmetic(graph, node) + ops.NS_PER_WEIGHT * _weights(graph, node)


def _weights(graph: Graph, node: Node) -> int:
    """Elements of large constants that the node reads."""
    constants = [v.constant for v in node.inputs if v.dtype.is_float and v not in graph.fed]
    return sum(c.size for c in constants if c is not None and c.size >= _SMALLEST_WEIGHTS)


def _arithmetic(graph: Graph, node: Node) -> float:
    if node.op in ops.CONTRACTIONS:
        return ops.NS_PER_MULTIPLICATION * _multiplications(node)
    size = elements(node.out().shape)
    if node.op in ops.MOVES:
        return ops.MOVES[node.op] * size
    if is_fused(graph, node) or _is_gelu(node):
        return 0.0
    if _is_swish(node):
        return -ops.NS_PER_SWISH_ELEMENT * size
    read = max((elements(v.shape) for v in node.inputs), default=0) if node.op == "Mean" else size
    return -ops.ELEMENTWISE[node.op] * read


def _multiplications(node: Node) -> float:
    """Products that a contraction sums up."""
    out = elements(node.out().shape)
    if node.op == "Einsum":
        return _einsum(node)
    if "MatMul" in node.op:
        transposed = node.get("adj_x", False) or node.get("transpose_a", False)
        return out * _dimensions(node.inputs[0])[-2 if transposed else -1]
    kernel = _dimensions(node.inputs[1])
    if node.op == "Conv2DBackpropInput":  # every element of its input meets the kernel of its channel
        return elements(node.inputs[2].shape) * math.prod(kernel[:-1])
    return out * (math.prod(kernel[:-2]) if node.op == "DepthwiseConv2dNative" else math.prod(kernel[:-1]))


def _dimensions(value: Value) -> list[int]:
    return [_UNKNOWN_DIMENSION if d is None else d for d in value.shape.dims or (None, None)]


def _einsum(node: Node) -> float:
    """The product of all dimensions that the equation names; those behind an ellipsis are left out."""
    terms = str(node["equation"]).partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, value in zip(terms, node.inputs, strict=True):
        front, _, back = term.replace(" ", "").partition("...")
        dims = _dimensions(value)
        sizes.update(zip(front, dims, strict=False))
        sizes.update(zip(reversed(back), reversed(dims), strict=False))
    return math.prod(sizes.values())


def is_fused(graph: Graph, node: Node) -> bool:
    """Whether TensorFlow computes the node together with the contraction before it.

    These are a bias, after it another sum, after them an activation, as long as nobody else reads what is in between.
    """
    before = node.op in ops.FUSED_ACTIVATIONS or node.op in ops.FUSED_SUMS
    return before and any(_ends_contraction(graph, v, node) for v in node.inputs)


def _ends_contraction(graph: Graph, value: Value, reader: Node) -> bool:
    node = value.node
    if len(node.readers) > 1 or value in graph.outputs.values():
        return False
    if node.op in ops.CONTRACTIONS:
        return reader.op in ops.FUSED_SUMS
    return node.op in ops.FUSED_SUMS and any(_ends_contraction(graph, v, node) for v in node.inputs)


def _is_swish(node: Node) -> bool:
    """Whether the node is part of x·sigmoid(x)."""
    if node.op == "Mul":
        return any(v.node.op == "Sigmoid" and v.node.inputs[0] in node.inputs for v in node.inputs)
    return node.op == "Sigmoid" and len(node.readers) == 1 and _is_swish(next(iter(node.readers)))


_GELU = frozenset({"Mul", "Neg", "Erf", "Erfc", "Add", "AddV2"})


def _is_gelu(node: Node) -> bool:
    """Whether the node is part of a gelu right behind the bias of a dense layer, which TensorFlow makes one kernel."""
    if node.op not in _GELU:
        return False
    above, below = _walk(node, up=True), _walk(node, up=False)
    return any(n.op in ("Erf", "Erfc") for n in above | below | {node}) and any(
        v.node.op == "BiasAdd" and v.node.inputs[0].node.op == "MatMul" for n in above | {node} for v in n.inputs
    )


def _walk(node: Node, *, up: bool) -> set[Node]:
    """Ops of a gelu before (or after) a node, within its depth."""
    found: set[Node] = set()
    front = {node}
    for _ in range(ops.GELU_DEPTH):
        linked = {m for n in front for m in ((v.node for v in n.inputs) if up else n.readers)}
        front = {m for m in linked if m.op in _GELU} - found
        found |= front
    return found
