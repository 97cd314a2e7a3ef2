"""SpaceToBatchND, convolution, BatchToSpaceND → one convolution."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def flatten_atrous_conv(work: Work) -> None:
    """Writes a dilated convolution as one node: Conv2D with dilations, or a depthwise one with zeros in its kernel.

    Differs: Conv2D gets its dilations instead of a kernel full of zeros, which the original had to write; paddings and
    crops are compared, so that VALID convolutions keep their size; shared and computed kernels, every float dtype and
    siblings over one input are treated; a depthwise kernel is copied, never changed under its name.
    Source: the Graph Transform Tool's flatten_atrous_conv.
    """
    work.simplify(rules=["fuse_atrous_conv", "fill_atrous_depthwise_kernel"])
