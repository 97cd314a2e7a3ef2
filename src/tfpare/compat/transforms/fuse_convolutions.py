"""Resizing and padding before convolutions → inside them."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.transforms.fuse_pad_and_conv import fuse_pad_and_conv
from tfpare.compat.transforms.fuse_resize_and_conv import fuse_resize_and_conv
from tfpare.compat.transforms.fuse_resize_pad_and_conv import fuse_resize_pad_and_conv
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fuse_convolutions(work: Work) -> None:
    """Runs fuse_resize_pad_and_conv, fuse_resize_and_conv and fuse_pad_and_conv, in the order that fuses most.

    Differs: the original's manual names it, but its tool does not know the name.
    Source: the manual of the Graph Transform Tool.
    """
    fuse_resize_pad_and_conv(work)
    fuse_resize_and_conv(work)
    fuse_pad_and_conv(work)
