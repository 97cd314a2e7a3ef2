"""ResizeBilinear, MirrorPad and Conv2D → FusedResizeAndPadConv2D."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fuse_resize_pad_and_conv(work: Work) -> None:
    """Resizes and pads inside the convolution, which needs less memory.

    Differs: the fused op's own kernel is wrong for every image of a batch but the first, so that nothing is fused
    unless the batch is known to be one; what the op cannot say (half-pixel centres, dilations, explicit padding, NCHW,
    images of integers) is left alone, where the original drops it; an inner result that is an output stays; int64
    paddings are converted.
    Source: the Graph Transform Tool's fuse_resize_pad_and_conv.
    """
    work.simplify(rules=["fuse_resize_and_mirror_pad_into_conv"])
