"""Ops that name dimensions: by an axis, or with an operand that has one entry per dimension."""

from __future__ import annotations

from math import prod

import numpy as np

from tfpare.engine.rule import require
from tfpare.ir.types import Array, Shape
from tfpare.layout.conversion import Conversion, Site, converts
from tfpare.layout.direction import SMALLEST_RANK

_REDUCTIONS = ("Mean", "Sum", "Max", "Min", "Prod", "All", "Any", "EuclideanNorm")


def _axes(site: Site, position: int, rank: int) -> list[int]:
    """The constant axes of an input, counted from the front."""
    axes = [int(a) for a in site.known(position, "the axis").ravel()]
    require(all(-rank <= a < rank for a in axes), "an axis is out of range", at=site.node)
    return [a % rank for a in axes]


def _replace_axes(site: Site, made: Conversion, position: int, rank: int) -> list[int]:
    """Maps a constant operand of axes; returns what it was."""
    axes, old = _axes(site, position, rank), site.known(position, "the axis")
    mapped = np.array([site.direction.axis(a, rank) for a in axes], old.dtype)
    made.constants[position] = mapped.reshape(old.shape)
    return axes


def _attr_axis(site: Site, rank: int) -> int:
    axis = site.node["axis"]
    assert isinstance(axis, int)
    require(-rank <= axis < rank, "an axis is out of range", at=site.node)
    return axis % rank


@converts(*_REDUCTIONS)
def reduction(site: Site) -> Conversion | None:
    """Without height and width, an image is [N, C] in both layouts."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion()
    axes = _replace_axes(site, made, 1, rank)
    site.read(made, 0, rank)
    if site.node["keep_dims"]:
        made.outputs[0] = rank
    elif site.direction.keeps_layout_without(axes, rank, site.node):
        made.outputs[0] = rank - len(set(axes))
    return made


@converts("ArgMax", "ArgMin")
def arg_reduction(site: Site) -> Conversion | None:
    """The position along an axis is the same in every layout."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion()
    axes = _replace_axes(site, made, 1, rank)
    site.read(made, 0, rank)
    if site.direction.keeps_layout_without(axes, rank, site.node):
        made.outputs[0] = rank - 1
    return made


@converts("ReverseV2", "Cumsum", "Cumprod")
def along_axes(site: Site) -> Conversion | None:
    """The result has the shape of the input."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    _replace_axes(site, made, 1, rank)
    site.read(made, 0, rank)
    return made


@converts("Concat", "ConcatV2")
def concat(site: Site) -> Conversion | None:
    """All inputs but the axis are images."""
    rank = site.out_rank()
    if rank < SMALLEST_RANK:
        return None
    last = len(site.node.inputs) - 1
    made = Conversion(outputs={0: rank})
    axis = 0 if site.node.op == "Concat" else last
    _replace_axes(site, made, axis, rank)
    for position in range(last + 1):
        if position != axis:
            site.read(made, position, rank)
    return made


@converts("Split", "SplitV")
def split(site: Site) -> Conversion | None:
    """All outputs are images."""
    value, axis = (1, 0) if site.node.op == "Split" else (0, 2)
    rank = site.rank(value)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs=dict.fromkeys(range(len(site.node.dtypes)), rank))
    _replace_axes(site, made, axis, rank)
    site.read(made, value, rank)
    return made


@converts("Pack")
def pack(site: Site) -> Conversion | None:
    """The new dimension's place in the result says which order the inputs need."""
    rank = site.out_rank()
    if rank < SMALLEST_RANK:
        return None
    axis = _attr_axis(site, rank)
    made = Conversion(outputs={0: rank}, attrs={"axis": site.direction.axis(axis, rank)})
    if site.direction.keeps_layout_without([axis], rank, site.node):
        for position in range(len(site.node.inputs)):
            site.read(made, position, rank - 1)
    return made


@converts("Unpack")
def unpack(site: Site) -> Conversion | None:
    """The opposite of Pack."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    axis = _attr_axis(site, rank)
    made = Conversion(attrs={"axis": site.direction.axis(axis, rank)})
    site.read(made, 0, rank)
    if site.direction.keeps_layout_without([axis], rank, site.node):
        made.outputs = dict.fromkeys(range(len(site.node.dtypes)), rank - 1)
    return made


@converts("ExpandDims")
def expand_dims(site: Site) -> Conversion | None:
    """As Pack with one input."""
    rank = site.rank(0) + 1
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    axes = _replace_axes(site, made, 1, rank)
    require(len(axes) == 1, "an axis is missing", at=site.node)
    if site.direction.keeps_layout_without(axes, rank, site.node):
        site.read(made, 0, rank - 1)
    return made


@converts("Squeeze")
def squeeze(site: Site) -> Conversion | None:
    """Named dimensions, or all that are 1 where the shape tells which these are."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    named, dims = site.node["squeeze_dims"], site.node.inputs[0].shape.dims or ()
    assert isinstance(named, tuple)
    require(named or None not in dims, "which dimensions are 1 is not known", at=site.node)
    axes = {int(a) % rank for a in named if isinstance(a, int)} or {k for k, d in enumerate(dims) if d == 1}
    made = Conversion()
    if named:
        made.attrs["squeeze_dims"] = tuple(sorted(site.direction.axis(a, rank) for a in axes))
    site.read(made, 0, rank)
    if site.direction.keeps_layout_without(axes, rank, site.node):
        made.outputs[0] = rank - len(axes)
    return made


@converts("Pad", "PadV2", "MirrorPad", "Tile", "Slice")
def entries(site: Site) -> Conversion | None:
    """Operands with one entry per dimension; the value of PadV2 is a scalar."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    made = Conversion(outputs={0: rank})
    site.read(made, 0, rank)
    for position in range(1, 3 if site.node.op == "Slice" else 2):
        site.entries(made, position, rank)
    return made


@converts("SpaceToBatchND", "BatchToSpaceND")
def blocks(site: Site) -> Conversion | None:
    """Blocks of the dimensions after the batch; those that are left out have blocks of 1 and are not padded."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    sizes, pads = site.known(1, "the block"), site.known(2, "the padding")
    require(1 <= len(sizes) < rank and pads.shape == (len(sizes), 2), "its operands are unusual", at=site.node)
    missing = rank - 1 - len(sizes)
    sizes = np.concatenate([sizes, np.ones(missing, sizes.dtype)])
    pads = np.concatenate([pads, np.zeros((missing, 2), pads.dtype)])
    order = [k - 1 for k in site.direction.permutation(rank)[1:]]
    used = 1 + max((k for k, old in enumerate(order) if sizes[old] != 1 or pads[old].any()), default=0)
    made = Conversion(outputs={0: rank}, constants={1: sizes[order[:used]], 2: pads[order[:used]]})
    site.read(made, 0, rank)
    return made


@converts("Reshape")
def reshape(site: Site) -> Conversion | None:
    """Reshape reads elements in order: it has another layout only where permuting moves no element.

    That is so where height and width are 1 (behind global pooling, around squeeze-and-excitation), or channels are 1.
    """
    made, node = Conversion(), site.node
    if _moves_nothing(site, node.inputs[0].shape):
        made.as_stored = frozenset({0})
    result = node.out().shape
    if _moves_nothing(site, result):
        rank = len(result.dims or ())
        site.entries(made, 1, rank)
        made.outputs[0] = rank
    require(made.outputs or made.as_stored, "it reads elements in their order", at=node)
    return made


def _moves_nothing(site: Site, shape: Shape) -> bool:
    """Whether permuting a tensor of this shape leaves its elements where they are."""
    dims = shape.dims
    if dims is None or len(dims) < SMALLEST_RANK:
        return False
    channel = 1 if site.direction.target == "NHWC" else len(dims) - 1
    others = [d for k, d in enumerate(dims) if k not in (0, channel)]
    return dims[channel] == 1 or (None not in others and prod(d or 0 for d in others) == 1)


@converts("Transpose")
def transpose(site: Site) -> Conversion | None:
    """Any permutation takes the conversion in: its order changes, and where it becomes 0, 1, 2, … it goes."""
    order: Array = site.known(1, "the permutation")
    rank = order.size
    require(sorted(order.tolist()) == list(range(rank)), "it is no permutation", at=site.node)
    return None if rank < SMALLEST_RANK else Conversion(outputs={0: rank}, as_stored=frozenset({0}))
