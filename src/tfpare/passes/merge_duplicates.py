"""Equal nodes and equal constants → one."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Hashable

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.ops import CONTROL_FLOW_V1, RANDOM
from tfpare.ir.types import Array, Attr, dtype
from tfpare.passes.base import PassOptions, PassResult, register

_COMMUTATIVE_FLOATS = frozenset({"Add", "AddV2", "Mul", "Equal", "NotEqual", "SquaredDifference"})
_COMMUTATIVE = _COMMUTATIVE_FLOATS | {
    *("LogicalAnd", "LogicalOr", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Maximum", "Minimum")
}


@register()
def merge_duplicates(model: Model, options: PassOptions) -> PassResult:
    """f(x), f(x) = one f(x) read twice; equal constants are stored once.

    Commutative operands count as equal in either order where it changes no bit; constants are compared by dtype, shape
    and bits, however they are stored.

    Declines when: the op has state, is random, is a placeholder or a frame op; the values are fed or pinned.
    Source: Grappler's common subgraph elimination, the Graph Transform Tool's merge_duplicate_nodes.
    """
    result = PassResult()
    for graph in model.all_graphs():
        result.applied += merge_graph(graph)
        graph.sweep()
    return result


def merge_graph(graph: Graph) -> int:
    """Merges in one sweep, inputs before readers, so that equal subgraphs collapse at once."""
    seen: dict[Hashable, Node] = {}
    merged = 0
    blocked = {v.node for v in graph.fed} | graph.pinned
    for node in graph.topological():
        if node in blocked or not _is_mergeable(node):
            continue
        key = _key(node)
        first = seen.setdefault(key, node)
        if first is node:
            continue
        for port in range(len(node.dtypes)):
            graph.replace_value(Value(node, port), Value(first, port))
        graph.replace_control(node, [first])
        if node in graph.keep:
            graph.keep[first] = None
        graph.remove(node)
        merged += 1
    return merged


def _is_mergeable(node: Node) -> bool:
    if node.op in CONTROL_FLOW_V1 or node.op in RANDOM or node.op.startswith(("Placeholder", "_Arg", "TensorArray")):
        return False
    if node.op == "VarHandleOp":
        return True
    return node.spec is not None and not node.spec.is_stateful and bool(node.dtypes)


def _commutes(node: Node) -> bool:
    """Whether the order of the operands changes no bit of the result (but the payload of a NaN)."""
    type_ = node.inputs[0].dtype.base if node.inputs else dtype("string")
    if type_.is_integer or type_.name == "bool":
        return node.op in _COMMUTATIVE or node.op == "AddN"
    # The larger of 0 and −0 is the one that comes first; sums of three floats depend on the order; so may products of
    # complex numbers; strings are joined by Add.
    return type_.is_float and (node.op in _COMMUTATIVE_FLOATS or (node.op == "AddN" and len(node.inputs) == 2))


def _key(node: Node) -> Hashable:
    inputs = [(id(v.node), v.index) for v in node.inputs]
    if _commutes(node):
        inputs.sort()
    attrs = {**node.spec.defaults, **node.attrs} if node.spec else node.attrs
    public = tuple((k, attr_key(v)) for k, v in sorted(attrs.items()) if not k.startswith("_"))
    return node.op, node.device, tuple(inputs), tuple(sorted(id(c) for c in node.controls)), public


def attr_key(value: Attr) -> Hashable:
    """A key that is equal for equal attribute values."""
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, tuple):
        return tuple(attr_key(v) for v in value)
    return type(value).__name__, repr(value) if isinstance(value, float) else value


_DIGESTS: dict[int, tuple[weakref.ref[Array], tuple[str, tuple[int, ...], bytes]]] = {}
_CACHED_FROM_BYTES = 4096  # hashing less is cheaper than remembering it


def digest(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    """A key that is equal for arrays of equal dtype, shape and bits; remembered, since constants never change."""
    if array.nbytes < _CACHED_FROM_BYTES:
        return _digest(array)
    known = _DIGESTS.get(id(array))
    if known is None or known[0]() is not array:
        key = id(array)
        known = weakref.ref(array, lambda _: _DIGESTS.pop(key, None)), _digest(array)
        _DIGESTS[key] = known
    return known[1]


def _digest(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    if array.dtype == object:
        data = repr(array.reshape(-1).tolist()).encode()
    elif array.nbytes >= _CACHED_FROM_BYTES and _repeats_one_number(array):
        return f"{array.dtype} repeated", tuple(array.shape), array[(0,) * array.ndim].tobytes()
    else:
        data = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    return str(array.dtype), tuple(array.shape), hashlib.blake2b(data, digest_size=16).digest()


def _repeats_one_number(array: Array) -> bool:
    if not any(array.strides):
        return True
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat[:1].tobytes() != flat[-1:].tobytes():
        return False
    raw = flat.view(np.uint8)
    return bool((raw[flat.itemsize :] == raw[: -flat.itemsize]).all())
