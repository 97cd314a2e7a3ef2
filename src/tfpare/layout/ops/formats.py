"""Ops with an attribute `data_format`: convolutions, pooling, batch norm, bias, depth to space."""

from __future__ import annotations

from tfpare.engine.rule import require
from tfpare.ir.graph import Node
from tfpare.ir.types import Attr
from tfpare.layout.conversion import Conversion, Site, converts
from tfpare.layout.direction import SMALLEST_RANK, Direction

_PER_DIMENSION = ("strides", "ksize", "dilations")


def data_format(site: Site) -> str | None:
    """The attribute after the conversion, None where the node has that layout already.

    Raises:
        Declined: the layout is neither channels first nor channels last.
    """
    now, formats = str(site.node["data_format"]), site.direction.data_formats
    require(now in formats or now in formats.values(), f"layout {now} is not supported", at=site.node)
    return formats.get(now)


@converts("Conv2D", "Conv3D", "DepthwiseConv2dNative", "AvgPool", "MaxPool", "AvgPool3D", "MaxPool3D")
def window(site: Site) -> Conversion | None:
    """Kernels are HWIO in both layouts: only the image is permuted."""
    wanted = data_format(site)
    if wanted is None:
        return None
    rank = len(wanted)
    made = Conversion(outputs={0: rank}, attrs=window_attrs(site.node, site.direction, wanted), is_bound=True)
    site.read(made, 0, rank)
    return made


@converts("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def transposed_convolution(site: Site) -> Conversion | None:
    """Inputs: the size of the result (all dimensions, or height and width alone), the kernel, the image."""
    wanted = data_format(site)
    if wanted is None:
        return None
    rank = len(wanted)
    made = Conversion(outputs={0: rank}, attrs=window_attrs(site.node, site.direction, wanted), is_bound=True)
    site.read(made, 2, rank)
    if site.node.inputs[0].shape.dims != (rank - 2,):
        site.entries(made, 0, rank)
    return made


@converts("MaxPoolV2")
def pool_with_operands(site: Site) -> Conversion | None:
    """Window and strides are operands."""
    wanted = data_format(site)
    if wanted is None:
        return None
    rank = len(wanted)
    made = Conversion(outputs={0: rank}, attrs={"data_format": wanted}, is_bound=True)
    site.read(made, 0, rank)
    site.entries(made, 1, rank)
    site.entries(made, 2, rank)
    return made


@converts("DepthToSpace", "SpaceToDepth")
def depth_and_space(site: Site) -> Conversion | None:
    """Blocks lie in the channels in the same order in both layouts."""
    wanted = data_format(site)
    if wanted is None:
        return None
    made = Conversion(outputs={0: len(wanted)}, attrs={"data_format": wanted}, is_bound=True)
    site.read(made, 0, len(wanted))
    return made


@converts("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(site: Site) -> Conversion | None:
    """Scale, offset and statistics are vectors: only output 0 is an image."""
    wanted = data_format(site)
    if wanted is None:
        return None
    made = Conversion(outputs={0: len(wanted)}, attrs={"data_format": wanted})
    site.read(made, 0, len(wanted))
    return made


@converts("BiasAdd")
def bias(site: Site) -> Conversion | None:
    """`NCHW` stands for channels first whatever the rank."""
    wanted = data_format(site)
    if wanted is None:
        return None
    rank = site.out_rank()
    require(rank >= SMALLEST_RANK, "the rank is the same in both layouts", at=site.node)
    made = Conversion(outputs={0: rank}, attrs={"data_format": wanted})
    site.read(made, 0, rank)
    return made


def window_attrs(node: Node, direction: Direction, wanted: str) -> dict[str, Attr]:
    """Attributes with an entry (explicit paddings: two) per dimension, permuted."""
    order = direction.permutation(len(wanted))
    attrs: dict[str, Attr] = {"data_format": wanted}
    for key in _PER_DIMENSION:
        items = node.get(key, ())
        if isinstance(items, tuple) and len(items) == len(order):
            attrs[key] = tuple(items[k] for k in order)
    pads = node.get("explicit_paddings", ())
    if isinstance(pads, tuple) and len(pads) == 2 * len(order):
        attrs["explicit_paddings"] = tuple(pads[2 * k + side] for k in order for side in (0, 1))
    return attrs
