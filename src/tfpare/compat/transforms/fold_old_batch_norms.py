"""Batch norm as one op → the kernel and bias of the convolution before it."""

from __future__ import annotations

from tfpare.compat.families import FUSED_BATCH_NORM
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fold_old_batch_norms(work: Work) -> None:
    """Folds FusedBatchNorm, V2, V3 and BatchNormWithGlobalNormalization into convolutions, bias included.

    Also through BatchToSpaceND and through a concatenation of any number of convolutions, and into a convolution that
    follows and pads nothing.

    Differs: V2 and V3, a bias in between, transposed and 3-D convolutions, any spelling of the axis, constants that
    several batch norms share, and function bodies are treated; a kernel or convolution that something else uses keeps
    its value, and what is folded gets a name of its own, so that no name comes to stand for another value (the original
    keeps the names of convolution and kernel); batch norm in training mode is left alone; a missing epsilon is the op's
    default.
    Source: the Graph Transform Tool's fold_old_batch_norms.
    """
    work.simplify(rules=FUSED_BATCH_NORM)
