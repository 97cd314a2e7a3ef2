"""Which output a metric looks at, and which outputs of two models belong together."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.errors import UsageError, nearest
from tfpare.ir.model import Signature, TensorInfo

_USUAL = ("probabilities", "scores", "predictions", "softmax", "logits", "output_0")


def choose_output(signature: Signature, wanted: str) -> str:
    """The output that was asked for, else the only one, else the one that looks like class scores.

    Raises:
        UsageError: there is none of that name, or several would do.
    """
    outputs = signature.outputs
    if wanted:
        if wanted not in outputs:
            raise UsageError(f"Signature {signature.name!r} has no output {wanted!r}.{nearest(wanted, outputs)}")
        return wanted
    if len(outputs) == 1:
        return next(iter(outputs))
    likely = [key for key, info in outputs.items() if _looks_like_scores(info)]
    usual = [name for name in _USUAL if name in likely]
    floats = [key for key, info in outputs.items() if info.dtype.is_float]
    if usual:
        return usual[0]
    for only in (likely, floats):
        if len(only) == 1:
            return only[0]
    raise UsageError(
        f"Signature {signature.name!r} has the outputs {', '.join(sorted(outputs))}: say with --output which one the "
        "metric looks at."
    )


def _looks_like_scores(info: TensorInfo) -> bool:
    dims = info.shape.dims
    return info.dtype.is_float and (dims is None or (len(dims) >= 2 and dims[-1] != 1))


def matching_outputs(first: Signature, second: Signature) -> Mapping[str, str]:
    """The second model's name of each of the first one's outputs: the same name, else the same place.

    Raises:
        UsageError: they have other outputs.
    """
    shared = first.outputs.keys() & second.outputs.keys()
    if shared:
        return {key: key for key in first.outputs if key in shared}
    if len(first.outputs) != len(second.outputs):
        raise UsageError(
            f"The models have no output in common: {', '.join(first.outputs)} and {', '.join(second.outputs)}."
        )
    return dict(zip(first.outputs, second.outputs, strict=True))
