"""Subgraphs of constants → their values, computed by TensorFlow's own kernels."""

from __future__ import annotations

import numpy as np

from tfpare import runtime
from tfpare.engine.effects import Effects
from tfpare.engine.placement import Placement, control_anchor
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Array, dtype
from tfpare.passes.base import MAX_FOLDED_BYTES, PassOptions, PassResult, register

FOLDABLE = frozenset(
    "Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin AsString Asin Asinh Atan Atan2 Atanh BatchMatMul "
    "BatchMatMulV2 BiasAdd Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast Ceil ClipByValue Concat "
    "ConcatOffset ConcatV2 Conj "
    "Conv2D Cos Cosh Cumprod Cumsum DepthToSpace DepthwiseConv2dNative Diag DiagPart Digamma Div DivNoNan Einsum Elu "
    "EnsureShape Equal Erf Erfc Erfinv Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod Gather GatherNd GatherV2 "
    "Greater GreaterEqual Identity IdentityN Imag InvertPermutation IsFinite IsInf IsNan LeakyRelu LeftShift Less "
    "LessEqual Lgamma LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul MatrixDiag MatrixDiagV3 "
    "Max Maximum Mean Min Minimum Mod Mul MulNoNan Neg NotEqual OneHot OnesLike Pack Pad PadV2 MirrorPad Pow "
    "PreventGradient Prod Range Rank Real RealDiv Reciprocal Relu Relu6 Reshape ReverseV2 RightShift Rint Roll Round "
    "Rsqrt ScatterNd Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot Softmax Softplus "
    "Softsign Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice StringJoin Sub Sum Tan "
    "Tanh TensorScatterUpdate Tile TopKV2 Transpose TruncateDiv TruncateMod Unpack Where Xdivy Xlogy ZerosLike "
    "SpaceToBatchND BatchToSpaceND SpaceToDepth DynamicStitch ParallelDynamicStitch BitwiseAnd BitwiseOr "
    "BitwiseXor Invert MatrixBandPart Dequantize FakeQuantWithMinMaxVars "
    "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVarsPerChannel "
    "ResizeBilinear ResizeNearestNeighbor FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 StringLower "
    "StringUpper StringLength StringStrip StringFormat Substr".split()
)
"""Stateless, deterministic ops with bounded output. Never files, Python, random numbers, tables or custom ops."""

_SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank"})
# A result may be this much larger than the inputs that go with it. TensorFlow folds more (100 KiB, then 10 MiB) each
# time it loads a model; in a file small pays.
_GROWTH_BYTES = 16 * 1024


@register(after=("freeze_variables",))
def fold_constants(model: Model, options: PassOptions) -> PassResult:
    """f(c1, c2) = its value; Shape, Size and Rank of a value with static shape = their value.

    Declines when: the op is not on the allow-list; a caller feeds the value; the result would be more than 16 KiB
    larger than the inputs that only it reads, larger than 10 MiB, or its size is unknown.
    Source: Grappler's constant folding, the Graph Transform Tool's fold_constants.
    """
    result = PassResult()
    for graph in model.all_graphs():
        runtime.infer_shapes(graph)
        if any(_may_fold(n) for n in graph):
            fold_graph(graph, result, options.max_folded_bytes)
            graph.sweep()
    return result


def _may_fold(node: Node) -> bool:
    if node.op in _SHAPE_OPS:
        return True
    return bool(node.inputs) and all(v.node.op == "Const" for v in node.inputs)


def fold_graph(graph: Graph, result: PassResult, max_bytes: int = MAX_FOLDED_BYTES) -> None:
    """Folds one graph in place; inputs come before readers, so whole subgraphs go in one sweep."""
    fed, placement, effects = {v.node for v in graph.fed}, Placement(graph), Effects(graph)
    for node in graph.topological():
        if node in fed or node in graph.pinned or node.op == "Const" or not node.dtypes:
            continue
        values = _evaluate(node, graph, result, max_bytes)
        if values is not None:
            _replace(graph, node, values, placement, effects)
            result.applied += 1


def _evaluate(node: Node, graph: Graph, result: PassResult, max_bytes: int) -> list[Array] | None:
    if node.op in _SHAPE_OPS:
        shapes = _static_shape(node, graph)
        return None if shapes is None or any(a.nbytes > max_bytes for a in shapes) else shapes
    if not node.inputs or any(v.constant is None or v in graph.fed for v in node.inputs):
        return None
    if node.op not in FOLDABLE:
        if not node.is_effectful and node.op not in ("Enter", "Switch", "Merge", "Exit", "NextIteration"):
            result.decline(f"{node.op} is not on the list of ops that may run while optimizing", node.name)
        return None
    arrays = [v.constant for v in node.inputs]
    inputs = [a for a in arrays if a is not None]
    if not _fits(node, inputs, max_bytes):
        result.decline("the result would be larger than its inputs", node.name)
        return None
    try:
        return runtime.evaluate(node, inputs)
    except RuntimeError as error:
        result.decline("the kernel refused", f"{node.name}: {error}")
        return None


def _static_shape(node: Node, graph: Graph) -> list[Array] | None:
    if any(v in graph.fed and v.node.op not in ("Placeholder",) for v in node.inputs):
        return None
    results: list[Array] = []
    out_type = node.get("out_type", dtype("int32"))
    target = np.int64 if out_type == dtype("int64") else np.int32
    for value in node.inputs:
        shape = value.shape
        if shape.dims is None or (node.op != "Rank" and not shape.is_full):
            return None
        if node.op == "Rank":
            results.append(np.array(len(shape.dims), np.int32))
        elif node.op == "Size":
            results.append(np.array(shape.size, target))
        else:
            results.append(np.array(shape.dims, target))
    return results


def _fits(node: Node, inputs: list[Array], max_bytes: int) -> bool:
    dying = {id(v.node): v.constant for v in node.inputs if len(v.node.readers) == 1}
    have = sum(a.nbytes for a in dying.values() if a is not None)
    for port in range(len(node.dtypes)):
        need = _result_bytes(node, port, inputs)
        if need is None:
            return False
        repeats = node.op in ("Fill", "ZerosLike", "OnesLike")  # one value, which is stored once
        if need > max_bytes or (need > have + _GROWTH_BYTES and not repeats):
            return False
    return True


def _result_bytes(node: Node, port: int, inputs: list[Array]) -> int | None:
    np_dtype = node.dtypes[port].numpy
    if np_dtype is None:
        return None
    size = Value(node, port).shape.size
    if size is None:
        try:
            size = int(np.prod(np.broadcast_shapes(*(a.shape for a in inputs)), dtype=np.int64))
        except ValueError:
            size = max(a.size for a in inputs)
        if node.op not in _ELEMENTWISE:
            return None
    return size * np_dtype.itemsize


_ELEMENTWISE = frozenset(
    "BroadcastGradientArgs "
    "Abs Add AddV2 Cast Ceil Equal Exp Floor FloorDiv FloorMod Greater GreaterEqual Identity Less LessEqual Log "
    "LogicalAnd LogicalNot LogicalOr Maximum Minimum Mul Neg NotEqual Pow RealDiv Reciprocal Round Rsqrt Select "
    "SelectV2 Sign Sqrt Square Sub Where StridedSlice Squeeze Unpack Sum Prod Max Min Mean".split()
)
"""Ops whose result is never larger than their broadcast inputs, so that an unknown static shape does no harm."""


def _replace(graph: Graph, node: Node, values: list[Array], placement: Placement, effects: Effects) -> None:
    controls = dict.fromkeys((*node.controls, *(c for v in node.inputs for c in v.node.controls)))
    if node.op in _SHAPE_OPS:
        computed = [v for v in node.inputs if v.constant is None]
        needed = computed if placement.is_conditional(node) else [v for v in computed if effects.behind(v)]
        controls.update(dict.fromkeys(control_anchor(graph, v, f"{node.name}/pivot") for v in needed))
    first: Value | None = None
    name = node.name
    for port, array in enumerate(values):
        new = graph.const(array, name=f"{name}/folded", type_=node.dtypes[port].base, made_by="fold_constants")
        graph.set_controls(new.node, controls)
        placement.adopt([new.node], node)
        graph.replace_value(Value(node, port), new)
        first = first or new
    assert first is not None
    graph.replace_control(node, [first.node] if controls else [])
    graph.keep.pop(node, None)
    graph.remove(node)
    graph.rename(first.node, name)
