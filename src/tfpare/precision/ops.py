"""Which ops may be computed in bfloat16, and what each then costs or saves.

All of them round their result once: TensorFlow's and oneDNN's kernels for them sum in float32, as measured with sums of
up to 3136 terms. Ops that are in none of the lists stay in float32; those in `UNSAFE` for the reason given there.

Nanoseconds were measured on two cores of an AMD EPYC (Zen 4) with AVX512-BF16, smallest of 25 runs of a chain of ten,
on tensors of 0.1 to 1.3 million elements.
"""

from __future__ import annotations

CONTRACTIONS = frozenset(
    "Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 "
    "Einsum".split()
)
"""Sums of products: what there is to gain."""

NS_PER_MULTIPLICATION = 0.0045
"""Saved by each product in bfloat16: 0.0045 to 0.005 for convolutions, dense layers, products of batches alike."""

NS_PER_WEIGHT = 0.1
"""Saved by each constant weight: two bytes less to read from memory, at 20 GB/s, and to store."""

NS_PER_CAST = 2000.0
NS_PER_CAST_ELEMENT = 0.2
"""Cost of a Cast in either direction: of the op and of each element."""

ELEMENTWISE: dict[str, float] = {
    "Add": 0.17,
    "AddV2": 0.17,
    "BiasAdd": 0.17,
    "Sub": 0.17,
    "Mul": 0.3,
    "Maximum": 0.3,
    "Minimum": 0.3,
    "Relu": 0.3,
    "Relu6": 0.65,
    "LeakyRelu": 0.65,
    "Elu": 0.65,
    "Selu": 0.65,
    "Sigmoid": 1.6,
    "Tanh": 0.4,
    "Erf": 0.3,
    "Erfc": 0.3,
    "Neg": 0.17,
    "Abs": 0.17,
    "Mean": 0.1,
}
"""Nanoseconds more per element where the op is a kernel of its own: without instructions for single bfloat16 numbers,
each is converted to float32 and back. Nothing where TensorFlow fuses it into the contraction before it."""

FUSED_ACTIVATIONS = frozenset("Relu Relu6 LeakyRelu Elu Sigmoid Tanh".split())
FUSED_SUMS = frozenset("Add AddV2 BiasAdd".split())
GELU_DEPTH = 5
"""Ops between a dense layer's bias and the product that ends its gelu: ½·y·erfc(−y·√½) or ½·y·(1 + erf(y·√½))."""
NS_PER_SWISH_ELEMENT = 0.06
"""More for x·sigmoid(x), which is one kernel in either type."""

MOVES: dict[str, float] = {
    "MaxPool": 0.0,
    "AvgPool": 0.0,
    "MaxPool3D": 0.0,
    "AvgPool3D": 0.0,
    "ConcatV2": 0.1,
    "Pad": 0.04,
    "PadV2": 0.04,
    "MirrorPad": 0.04,
    "Transpose": 0.005,
    "Slice": 0.04,
    "StridedSlice": 0.04,
    "Split": 0.04,
    "SplitV": 0.04,
    "Pack": 0.04,
    "Unpack": 0.04,
    "Tile": 0.04,
    "GatherV2": 0.04,
    "DepthToSpace": 0.04,
    "SpaceToDepth": 0.04,
    "SpaceToBatchND": 0.04,
    "BatchToSpaceND": 0.04,
    "ReverseV2": 0.04,
    "Reshape": 0.0,
    "Squeeze": 0.0,
    "ExpandDims": 0.0,
    "Identity": 0.0,
    "StopGradient": 0.0,
    "Snapshot": 0.0,
    "FusedBatchNormV2": 0.1,
    "FusedBatchNormV3": 0.1,
}
"""Nanoseconds less per element: half as many bytes are moved. Batch norms are those of inference: γ·x + β for each
channel in float32 (0.12 to 0.17 with their Relu from 0.4 million elements on), rounded once."""

UNSAFE: dict[str, str] = {
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "Exp", "Expm1", "Log", "Log1p", "Pow", "LRN"), "its result needs more bits"
    ),
    **dict.fromkeys(("Sum", "Prod", "Cumsum", "L2Loss", "EuclideanNorm"), "a sum of many terms needs more bits"),
    **dict.fromkeys(
        ("FusedBatchNorm", "SquaredDifference", "Rsqrt", "Sqrt", "Square"),
        "statistics of a normalization need more bits",
    ),
}
"""Ops that stay in float32, and why. Comparisons, ArgMax, TopKV2 and the like do too: their answer could flip."""

CANDIDATES = CONTRACTIONS | ELEMENTWISE.keys() | MOVES.keys()

WIDENED = (
    CANDIDATES
    | UNSAFE.keys()
    | frozenset(
        "Cast Div RealDiv DivNoNan FloorDiv FloorMod AddN Softplus Softsign Erfc Ceil Floor Round Rint Sign Reciprocal "
        "Inv Cos Sin Tan Max Min ArgMax ArgMin TopKV2 Greater GreaterEqual Less LessEqual Equal NotEqual IsNan "
        "IsInf IsFinite Select SelectV2 ClipByValue Where Shape ShapeN Size Rank OnesLike ZerosLike Fill BroadcastTo "
        "Concat Gather GatherNd ResizeBilinear ResizeNearestNeighbor ResizeBicubic OneHot MatrixBandPart Xlogy Xdivy "
        "Mod Atan Atan2 CheckNumerics PreventGradient".split()
    )
)
"""Ops that are the same function in float32, with more bits."""
