"""Shared knowledge of ops that work element by element, of ops that only move elements, and of shapes that agree."""

from __future__ import annotations

from tfpare.authoring import Array, Builder, Node, Value

UNARY = (
    "Abs | Acos | Acosh | Asin | Asinh | Atan | Atanh | Cast | Ceil | Cos | Cosh | Elu | Erf | Erfc | Exp | Expm1 | "
    "Floor | Inv | Invert | IsFinite | IsInf | IsNan | LeakyRelu | Log | Log1p | LogicalNot | Neg | Reciprocal | "
    "Relu | Relu6 | Rint | Round | Rsqrt | Selu | Sigmoid | Sign | Sin | Sinh | Softplus | Softsign | Sqrt | "
    "Square | Tan | Tanh"
)
"""Ops with one input that compute each element of their output from the element at the same place."""

MOVEMENT = "Reshape | Squeeze | ExpandDims | Transpose | Identity | ReverseV2"
"""Ops that put the elements of their first input elsewhere, each exactly once."""

FUSED_PRODUCERS = (
    "Conv2D | Conv3D | DepthwiseConv2dNative | Conv2DBackpropInput | MatMul | BatchMatMul | BatchMatMulV2 | "
    "BatchMatMulV3 | Einsum | BiasAdd | Add | AddV2 | FusedBatchNorm | FusedBatchNormV2 | FusedBatchNormV3"
)
"""Ops into which the run-time fuses an activation that reads them."""

_SAME_ATTRS = ("alpha", "SrcT", "DstT", "Truncate", "T")


def chain_below(new: Builder, value: Value, ops: str, by: Node) -> list[Node]:
    """The longest chain of nodes of `ops` that ends in `value`, last first; each is needed by the chain alone."""
    chain, reader = list[Node](), by
    while (node := new.producer(value, ops)) is not None and new.can_absorb(value, by=reader):
        chain.append(node)
        value, reader = node.inputs[0], node
    return chain


def rebuild(new: Builder, chain: list[Node], value: Value, *, keep_shape: bool = True) -> Value:
    """The chain (last first) on top of another value of the same dtype, and of the same shape unless told."""
    for node in reversed(chain):
        value = new.like(node, value, *node.inputs[1:], shape=None if keep_shape else value.shape)
    return value


def is_same_function(a: Node, b: Node) -> bool:
    """Whether two unary nodes compute the same of their inputs."""
    return a.op == b.op and all(a.get(k) == b.get(k) for k in _SAME_ATTRS) and a.device == b.device


def becomes_integer(node: Node) -> bool:
    """Whether a node turns floats into integers: what NaN or a number out of range becomes depends on its position."""
    return node.op == "Cast" and node.inputs[0].dtype.is_float and node.dtypes[0].is_integer


def have_same_shape(new: Builder, a: Value, b: Value) -> bool:
    """Whether two values surely have one shape: known and equal, or computed element by element from one value."""
    known = a.shape.is_full and a.shape == b.shape
    return known or _origin(new, a) == _origin(new, b)


def _origin(new: Builder, value: Value) -> Value:
    while (node := new.producer(value, UNARY)) is not None:
        value = node.inputs[0]
    return value


def is_filled_with(array: Array, number: float) -> bool:
    """Whether a constant has elements, all of them `number`."""
    return array.size > 0 and array.dtype.kind in "iufb" and bool((array == number).all())
