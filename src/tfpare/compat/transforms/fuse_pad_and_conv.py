"""MirrorPad and Conv2D → FusedPadConv2D; Pad and Conv2D → Conv2D that pads."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fuse_pad_and_conv(work: Work) -> None:
    """Pads inside the convolution, which needs less memory.

    Differs: padding with zeros becomes the convolution's own; as fuse_resize_pad_and_conv for mirror padding.
    Source: the Graph Transform Tool's fuse_pad_and_conv.
    """
    work.simplify(rules=["fuse_mirror_pad_into_conv", "fuse_pad_into_conv"])
