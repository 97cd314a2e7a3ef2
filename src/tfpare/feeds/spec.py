"""What is known about an input of a signature, as plain data that stays valid while the model is rewritten."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfpare.ir.types import DType

Dims = tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that a ParseExample op expects.

    Attributes:
        key: its name in the tf.Example.
        dtype: `int64`, `float32` or `string`.
        dims: shape of one example's values, None for a sparse or ragged feature.
        below: upper limit of ids, where one was found.
    """

    key: str
    dtype: str
    dims: Dims = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input.

    Attributes:
        key: the signature's key.
        dtype: of the elements.
        dims: the shape, None for unknown rank; a sparse input's dense shape.
        parts: names to feed: the key itself, or indices, values and dense shape of a sparse tensor.
        below: ids have to be below this, where a lookup was found.
        kind: what strings mean: `` (text), `example`, `image`, `number`, `base64`.
        features: of serialized examples.
        likely_scalar: the rank is unknown because bare graphs of old note scalars and unknown shapes alike.
    """

    key: str
    dtype: DType
    dims: Dims
    parts: tuple[str, ...]
    below: int | None = None
    kind: str = ""
    features: tuple[Feature, ...] = ()
    likely_scalar: bool = False

    @property
    def is_sparse(self) -> bool:
        """Whether three tensors are fed."""
        return len(self.parts) == 3

    @property
    def has_free_batch(self) -> bool:
        """Whether the first dimension may have any size."""
        return self.is_sparse or self.dims is None or (len(self.dims) > 0 and self.dims[0] is None)

    @property
    def is_image(self) -> bool:
        """Whether it looks like a batch of pictures: four dimensions, one to four channels last or second."""
        if self.dims is None or len(self.dims) != 4:
            return False
        return any(c in (1, 3, 4) for c in (self.dims[3], self.dims[1]))


@dataclass(frozen=True, slots=True)
class SignatureSpec:
    """What is known about a signature's inputs; `words` are strings that the model knows."""

    name: str
    inputs: tuple[InputSpec, ...]
    words: tuple[bytes, ...] = ()


_INDICES = re.compile(r"^(.*?)indices$")


def join_sparse(specs: list[InputSpec]) -> list[InputSpec]:
    """Dense inputs named like the parts of one sparse tensor (`x_indices`, `x_values`, `x_shape`) become one input."""
    by_key = {s.key: s for s in specs}
    joined: list[InputSpec] = []
    used: set[str] = set()
    for spec in specs:
        match = _INDICES.match(spec.key)
        if match is None or spec.is_sparse or spec.dtype.name != "int64" or len(spec.dims or ()) != 2:
            continue
        values = by_key.get(f"{match[1]}values")
        shape = by_key.get(f"{match[1]}dense_shape") or by_key.get(f"{match[1]}shape")
        if values is not None and shape is not None:
            rank = next((d for d in (*(spec.dims or ())[1:], *(shape.dims or ())) if d), 2)
            parts = (spec.key, values.key, shape.key)
            name = match[1].rstrip("_/") or spec.key
            joined.append(InputSpec(name, values.dtype, (None,) * rank, parts, values.below))
            used.update(parts)
    return [s for s in specs if s.key not in used] + joined
