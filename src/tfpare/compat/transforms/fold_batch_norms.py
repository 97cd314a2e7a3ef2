"""Multiplications by constants after linear ops → their kernels."""

from __future__ import annotations

from tfpare.compat.families import AFFINE
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.ROUNDING)
def fold_batch_norms(work: Work) -> None:
    """Folds batch norm that is written as arithmetic into the kernel and bias of the linear op around it.

    Run it after fold_constants, which computes the scale and the shift.

    Differs: both operand orders, divisions, shifts (they become one BiasAdd), a bias in between, transposed
    convolutions, scales before the linear op, NCHW, transposed matrices, every float dtype and function bodies are
    treated; a scale of another form is left alone, where the original stops or is wrong; shared kernels are copied; a
    convolution that is an output stays.
    Source: the Graph Transform Tool's fold_batch_norms.
    """
    work.simplify(rules=AFFINE)
