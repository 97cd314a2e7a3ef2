"""ResizeBilinear and Conv2D → FusedResizeAndPadConv2D."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fuse_resize_and_conv(work: Work) -> None:
    """Resizes inside the convolution, which needs less memory.

    Differs: as fuse_resize_pad_and_conv.
    Source: the Graph Transform Tool's fuse_resize_and_conv.
    """
    work.simplify(rules=["fuse_resize_into_conv"])
