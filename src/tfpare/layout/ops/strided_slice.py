"""StridedSlice: bounds of some dimensions, as vectors and bit masks."""

from __future__ import annotations

import numpy as np

from tfpare.engine.rule import require
from tfpare.ir.types import Array, Attr
from tfpare.layout.conversion import Conversion, Site, converts
from tfpare.layout.direction import SMALLEST_RANK

_OPERANDS = {1: 0, 2: 0, 3: 1}  # begin, end, stride → what a dimension that is taken whole has there


@converts("StridedSlice")
def strided_slice(site: Site) -> Conversion | None:
    """Every dimension gets its own bounds, then these are permuted."""
    rank = site.rank(0)
    if rank < SMALLEST_RANK:
        return None
    spec = _spec(site, rank)
    order = [spec[k] for k in site.direction.permutation(rank)]
    made = Conversion(attrs=_masks(site, order))
    site.read(made, 0, rank)
    for position, whole in _OPERANDS.items():
        array = site.constant(position)
        if array is None:
            require(spec == list(range(rank)), "computed bounds leave dimensions out", at=site.node)
            site.entries(made, position, rank)
        else:
            made.constants[position] = _reordered(array, order, whole)
    dropped = [k for k, entry in enumerate(spec) if entry is not None and _bit(site, "shrink_axis_mask", entry)]
    if not dropped or site.direction.keeps_layout_without(dropped, rank, site.node):
        made.add_output(0, rank - len(dropped))
    return made


def _spec(site: Site, rank: int) -> list[int | None]:
    """For each dimension its entry in the bounds, None where the dimension is taken whole."""
    dims = site.node.inputs[1].shape.dims
    require(dims is not None and len(dims) == 1 and dims[0] is not None, "the bounds have no known length", site.node)
    length = int((dims or (0,))[0] or 0)
    ellipsis = [k for k in range(length) if _bit(site, "ellipsis_mask", k)]
    require(not site.node["new_axis_mask"], "it adds a dimension", at=site.node)
    require(length - len(ellipsis) <= rank and len(ellipsis) < 2, "its bounds are unusual", at=site.node)
    whole: list[int | None] = [None] * (rank - length + len(ellipsis))
    split = ellipsis[0] if ellipsis else length
    return [*range(split), *whole, *range(split + 1, length)]


def _bit(site: Site, mask: str, entry: int) -> bool:
    bits = site.node[mask]
    assert isinstance(bits, int)
    return bool(bits >> entry & 1)


def _masks(site: Site, order: list[int | None]) -> dict[str, Attr]:
    masks: dict[str, Attr] = {"ellipsis_mask": 0}
    for key, whole in (("begin_mask", True), ("end_mask", True), ("shrink_axis_mask", False)):
        bits = [whole if entry is None else _bit(site, key, entry) for entry in order]
        masks[key] = sum(1 << k for k, bit in enumerate(bits) if bit)
    return masks


def _reordered(array: Array, order: list[int | None], whole: int) -> Array:
    return np.array([whole if entry is None else array[entry] for entry in order], array.dtype)
