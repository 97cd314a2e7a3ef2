"""From channels first to channels last or back: how the dimensions of tensors of every rank are permuted.

One family of permutations serves all ranks, so that ops which add or drop dimensions lead from one member to another::

    NCHW → NHWC:  rank 3 [0, 2, 1]   rank 4 [0, 2, 3, 1]   rank 5 [0, 2, 3, 4, 1]   lower ranks stay
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tfpare.engine.rule import Declined
from tfpare.ir.graph import Node
from tfpare.ir.types import Array, Shape

_LAST_OF_FIRST = {"NCHW": "NHWC", "NCDHW": "NDHWC"}
_FIRST_OF_LAST = {last: first for first, last in _LAST_OF_FIRST.items()}
SMALLEST_RANK = 3
"""Tensors of lower rank are the same in both layouts."""


@dataclass(frozen=True, slots=True)
class Direction:
    """A conversion to `target`, which is `NHWC` (channels last, whatever the rank) or `NCHW` (channels first)."""

    target: str

    @property
    def data_formats(self) -> dict[str, str]:
        """The attribute `data_format` of ops before and after."""
        return _LAST_OF_FIRST if self.target == "NHWC" else _FIRST_OF_LAST

    def permutation(self, rank: int) -> tuple[int, ...]:
        """Dimension i of the converted tensor is dimension permutation[i] of the original."""
        if rank < SMALLEST_RANK:
            return tuple(range(rank))
        inner = tuple(range(2, rank)) if self.target == "NHWC" else tuple(range(1, rank - 1))
        return (0, *inner, 1) if self.target == "NHWC" else (0, rank - 1, *inner)

    def inverse(self, rank: int) -> tuple[int, ...]:
        """The permutation that leads back."""
        order = self.permutation(rank)
        return tuple(order.index(k) for k in range(rank))

    def axis(self, axis: int, rank: int) -> int:
        """Where a dimension of the original is in the converted tensor; counted from the front."""
        return self.permutation(rank).index(axis % rank)

    def entries(self, items: Array, rank: int) -> Array:
        """A vector (or matrix) with one entry per dimension, in the converted order."""
        return items[list(self.permutation(rank))]

    def array(self, array: Array) -> Array:
        """A constant in the other layout; one that repeats a single value in memory still does."""
        turned = np.transpose(array, self.permutation(array.ndim))
        return turned if not any(array.strides) else np.ascontiguousarray(turned)

    def shape(self, shape: Shape) -> Shape:
        """A static shape in the other layout."""
        return shape if shape.dims is None else Shape(tuple(shape.dims[k] for k in self.permutation(len(shape.dims))))

    def keeps_layout_without(self, axes: Collection[int], rank: int, at: Node) -> bool:
        """Whether a converted tensor of that rank is still in the other layout once `axes` of the original are gone.

        Returns:
            True: what is left is in the other layout; False: it is as in the original.

        Raises:
            Declined: it is neither.
        """
        order = [k for k in self.permutation(rank) if k not in axes]
        rest = sorted(order)
        if order == rest:
            return False
        if order == [rest[k] for k in self.permutation(len(rest))]:
            return True
        raise Declined("the dimensions that it leaves would be in a third order", at)
