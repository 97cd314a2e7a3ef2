"""Ops that treat every element alike: they work in any layout, once broadcast constants are permuted."""

from __future__ import annotations

from tfpare.engine.rule import require
from tfpare.ir.ops import PASS_THROUGH
from tfpare.ir.types import Array
from tfpare.layout.conversion import Conversion, Site, converts
from tfpare.layout.direction import SMALLEST_RANK

_UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil CheckNumerics Conj Cos Cosh Digamma Elu Erf Erfc Erfinv Exp Expm1 "
    "FakeQuantWithMinMaxArgs Floor Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma Log Log1p LogicalNot Neg "
    "Ndtri OnesLike Real Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt "
    "Square Tan Tanh ZerosLike Enter Exit NextIteration"
).split()
_WITH_SCALARS = ("FakeQuantWithMinMaxVars", "Switch")
_BROADCASTING = (
    "Add AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Div DivNoNan Equal FloorDiv FloorMod Greater "
    "GreaterEqual LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan NotEqual Pow RealDiv "
    "RightShift SelectV2 SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy"
).split()


@converts(*_UNARY, *_WITH_SCALARS, *PASS_THROUGH)
def unary(site: Site) -> Conversion | None:
    """The first input and every output are the image; other inputs are scalars."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs=dict.fromkeys(range(len(site.node.dtypes)), rank))
    site.read(made, 0, rank)
    return made


@converts(*_BROADCASTING)
def broadcasting(site: Site) -> Conversion | None:
    """Operands of the result's rank are images; scalars and constants are broadcast to them."""
    ranks = [site.rank(k) for k in range(len(site.node.inputs))]
    rank = max(ranks)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    for position, own in enumerate(ranks):
        array = site.constant(position)
        if array is not None:
            made.constants[position] = _broadcast_constant(site, array, rank)
        elif own:
            require(own == rank, "an operand is broadcast from a lower rank", at=site.node)
            made.inputs[position] = rank
    require(made.inputs, "a constant decides the rank", at=site.node)
    return made


def _broadcast_constant(site: Site, array: Array, rank: int) -> Array:
    """In the other layout, without the dimensions in front that broadcasting adds by itself."""
    if array.ndim == 0:
        return array
    turned = site.direction.array(array.reshape((1,) * (rank - array.ndim) + array.shape))
    leading = next((k for k, d in enumerate(turned.shape) if d != 1), rank)
    return turned.reshape(turned.shape[leading:])


@converts("AddN", "Merge")
def equal_shapes(site: Site) -> Conversion | None:
    """All inputs are images of one shape; a Merge also tells which of them came."""
    rank = site.out_rank()
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    for position in range(len(site.node.inputs)):
        require(site.rank(position) == rank, "inputs differ in rank", at=site.node)
        site.read(made, position, rank)
    return made


@converts("Select", "ClipByValue")
def equal_shapes_or_scalars(site: Site) -> Conversion | None:
    """Operands are images of one shape, scalars, or (a condition) a vector along the batch, which stays in front."""
    rank = site.out_rank()
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    for position in range(3):
        own = site.rank(position)
        if own > 1:
            require(own == rank, "inputs differ in rank", at=site.node)
            site.read(made, position, rank)
    return made


@converts("Shape", "ShapeN", "Size", "Rank")
def shape(site: Site) -> Conversion | None:
    """The shape of a converted tensor is brought back into the original order."""
    made = Conversion()
    for position in range(len(site.node.inputs)):
        rank = site.rank(position)
        if rank >= SMALLEST_RANK:
            made.inputs[position] = rank
            if site.node.op.startswith("Shape"):
                made.shapes[position] = rank
    return made if made.inputs else None
