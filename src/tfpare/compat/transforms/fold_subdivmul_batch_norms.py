"""Batch norm as Sub, RealDiv, Mul and BiasAdd → the kernel and bias of the convolution before it."""

from __future__ import annotations

from tfpare.compat.families import AFFINE
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fold_subdivmul_batch_norms(work: Work) -> None:
    """Folds BiasAdd((conv − mean) / deviation · gamma, beta) into the convolution's kernel and bias.

    Differs: it is fold_batch_norms, which treats any order of these operations, so that vectors of another length are
    left alone, where the original aborts.
    Source: the Graph Transform Tool's fold_subdivmul_batch_norms (a side branch).
    """
    work.simplify(rules=AFFINE)
