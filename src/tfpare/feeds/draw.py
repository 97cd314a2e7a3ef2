"""Drawing inputs by dtype and shape, with other guesses to fall back on where the model refuses the first."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tfpare.feeds.spec import Feature, InputSpec, SignatureSpec
from tfpare.io import examples
from tfpare.ir.types import Array

_COMMON_WORDS = tuple(b"the quick brown fox jumps over a lazy dog and then rests 42 times".split())
_ITEMS_A_ROW = 3  # values in each row of a sparse tensor, at most
_SIDE = 32  # of encoded pictures, pixels

Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Plan:
    """A guess at what shapes and types leave open.

    Attributes:
        spatial: size of unknown dimensions of four- and five-dimensional inputs, pixels.
        length: size of other unknown dimensions but the first.
        ints: integers without a known meaning are below this.
        rank: of inputs with unknown rank, 0 for the usual one, -1 for scalars.
        text: what strings mean, empty for what the graph tells.
    """

    spatial: int = 64
    length: int = 8
    ints: int = 5
    rank: int = 0
    text: str = ""


_SMOOTH, _PATCH = 2, 28  # the variant with smooth images; pixels on a patch's side


def plans(spec: SignatureSpec) -> Iterator[Plan]:
    """Guesses, the likeliest first; only what this signature leaves open varies."""
    first = Plan()
    guesses = [first]
    open_images = any(len(i.dims or ()) >= 4 and None in (i.dims or ())[1:] for i in spec.inputs)
    open_lengths = any(1 < len(i.dims or ()) < 4 and None in (i.dims or ())[1:] for i in spec.inputs)
    guesses += [replace(first, ints=n) for n in (2, 1) if any(i.dtype.is_integer for i in spec.inputs)]
    if open_images:
        guesses += [replace(first, spatial=n) for n in (224, 32, 128, 299, 28)]
    if open_lengths:
        guesses += [replace(first, length=n, ints=k) for n in (16, 1, 64, 128, 3) for k in (5, 2)]
    if any(i.dims is None for i in spec.inputs):
        guesses += [replace(first, rank=n) for n in (1, 2, 4, 3, -1)]
    if any(i.dtype.name == "string" for i in spec.inputs):
        guesses += [replace(first, text=t) for t in ("text", "number", "image", "example", "base64")]
    yield from dict.fromkeys(guesses)


def variants(spec: SignatureSpec) -> int:
    """How many variants of the inputs differ: more where whole-number scalars may choose branches or count loops."""
    if any(i.dims == () and i.dtype.is_integer for i in spec.inputs):
        return 5
    return 3 if any(i.is_image and i.dtype.is_float for i in spec.inputs) else 2


def draw(spec: SignatureSpec, plan: Plan, batch: int, variant: int, seed: int) -> dict[str, Array]:
    """One set of inputs.

    Args:
        spec: of the signature.
        plan: what to assume.
        batch: size of free first dimensions.
        variant: 1 draws pixels from 0 to 255 and other floats from 0 to 1, scalars are 0.5 and True; 2 draws smooth
            images from -1 to 1, since noise drives networks for images into saturation; the others draw floats from
            N(0, 1), scalars are 1 and False, because that is what keep probabilities and training flags have to be for
            a model to answer the same twice. Whole-number scalars take another value in each.
        seed: of the random numbers.

    Returns:
        arrays by feed name (see `InputSpec.parts`).
    """
    feeds: dict[str, Array] = {}
    for index, one in enumerate(spec.inputs):
        rng = np.random.default_rng((seed, batch, variant, index))
        if one.is_sparse:
            feeds.update(_sparse(one, spec, plan, batch, rng, seed))
        else:
            dims = _dims(one, plan, batch)
            feeds[one.parts[0]] = _values(one, spec.words, plan, dims, variant, rng)
            if dims == () and one.dtype.is_integer:
                feeds[one.parts[0]] = np.asarray((index + variant) % (one.below or plan.ints), one.dtype.numpy)
    return feeds


def _dims(spec: InputSpec, plan: Plan, batch: int) -> tuple[int, ...]:
    dims = spec.dims
    if dims is None:
        rank = plan.rank or (-1 if spec.likely_scalar else 2 if spec.dtype.is_float else 1)
        dims = (None,) * max(rank, 0) if rank != 4 else (None, None, None, 3)
    many = len(dims) >= 4
    if many and dims[-1] is None and dims[1] is None:
        dims = (*dims[:-1], 3)
    rest = plan.spatial if many else plan.length
    return tuple((batch if k == 0 else rest) if d is None else d for k, d in enumerate(dims))


def _values(
    spec: InputSpec, words: tuple[bytes, ...], plan: Plan, dims: tuple[int, ...], variant: int, rng: Random
) -> Array:
    if spec.dtype.name == "string":
        return _strings(spec, words, plan, dims, rng)
    if spec.dtype.name == "bool":
        return rng.integers(0, 2, dims).astype(bool) if dims else np.asarray(variant == 1)
    if spec.dtype.is_float or spec.dtype.name.startswith("complex"):
        return _floats(spec, dims, variant, rng)
    return _integers(spec, plan, dims, rng)


def _floats(spec: InputSpec, dims: tuple[int, ...], variant: int, rng: Random) -> Array:
    if not dims:
        drawn: Array = np.asarray(0.5 if variant == 1 else 1.0)
    elif variant == 1:
        drawn = rng.uniform(0.0, 255.0 if spec.is_image else 1.0, dims)
    elif variant == _SMOOTH and spec.is_image:
        drawn = _smooth(dims, rng)
    else:
        drawn = rng.normal(0.0, 1.0, dims)
    if spec.dtype.name.startswith("complex"):
        drawn = drawn + 1j * rng.normal(0.0, 1.0, dims)
    return np.asarray(drawn).astype(spec.dtype.numpy)


def _smooth(dims: tuple[int, ...], rng: Random) -> Array:
    """Images [N, H, W, C] (or [N, C, H, W]) of a few patches with a little noise, in -1 to 1."""
    coarse = rng.uniform(-1.0, 1.0, tuple(-(-d // _PATCH) if k and d > _PATCH else d for k, d in enumerate(dims)))
    for axis, size in enumerate(dims):
        if coarse.shape[axis] != size:
            coarse = np.take(coarse, np.arange(size) // _PATCH, axis=axis)
    return np.clip(coarse + rng.normal(0.0, 0.05, dims), -1.0, 1.0)


def _integers(spec: InputSpec, plan: Plan, dims: tuple[int, ...], rng: Random) -> Array:
    if spec.dtype.name in ("int8", "uint8", "qint8", "quint8"):
        limits = np.iinfo(np.int8 if "uint" not in spec.dtype.name else np.uint8)
        return rng.integers(limits.min, limits.max + 1, dims).astype(spec.dtype.numpy)
    below = spec.below or (256 if spec.is_image else plan.ints)
    return np.asarray(rng.integers(0, below, dims)).astype(spec.dtype.numpy)


def _sparse(
    spec: InputSpec, signature: SignatureSpec, plan: Plan, batch: int, rng: Random, seed: int
) -> dict[str, Array]:
    """A sparse tensor; those of one rank share their indices, as ids and their weights have to."""
    rank = len(spec.dims or (None, None))
    known = (spec.dims or ())[1:]
    dense = (batch, *((d or plan.length) for d in (known or (None,) * (rank - 1))))
    places = np.random.default_rng((seed, batch, rank))
    rows: list[tuple[int, ...]] = []
    for row in range(batch):
        for _ in range(int(places.integers(1, _ITEMS_A_ROW + 1))):
            rows.append((row, *(int(places.integers(0, d)) for d in dense[1:])))
    indices = np.array(sorted(set(rows)), np.int64)
    # Weights near zero in sum would make a weighted mean arbitrarily large: only positive ones are drawn.
    variant = 1 if spec.dtype.is_float else 0
    values = _values(replace(spec, dims=None), signature.words, plan, (len(indices),), variant, rng)
    values = values + np.asarray(0.1, values.dtype) if spec.dtype.is_float else values
    return dict(zip(spec.parts, (indices, values, np.array(dense, np.int64)), strict=True))


def _strings(spec: InputSpec, words: tuple[bytes, ...], plan: Plan, dims: tuple[int, ...], rng: Random) -> Array:
    makers: dict[str, Callable[[], bytes]] = {
        "text": lambda: _sentence(words, rng),
        "number": lambda: str(int(rng.integers(0, 100))).encode(),
        "image": lambda: _image(rng),
        "base64": lambda: base64.urlsafe_b64encode(_image(rng)).rstrip(b"="),
        "example": lambda: examples.serialize({f.key: _feature(f, words, rng) for f in spec.features}),
    }
    return _fill(dims, makers[plan.text or spec.kind or "text"])


def _fill(dims: tuple[int, ...], make: Callable[[], bytes]) -> Array:
    result = np.empty(int(np.prod(dims, dtype=np.int64)), object)
    for k in range(result.size):
        result[k] = make()
    return np.reshape(result, dims)


def _sentence(words: tuple[bytes, ...], rng: Random) -> bytes:
    """Half of the time one word, else a few, known to the model or not."""
    count = 1 if rng.random() < 0.5 else int(rng.integers(2, 9))
    pools = [p for p in (words, words, _COMMON_WORDS) if p]
    chosen = [pools[int(rng.integers(len(pools)))] for _ in range(count)]
    return b" ".join(pool[int(rng.integers(len(pool)))] for pool in chosen)


def _image(rng: Random) -> bytes:
    return png(rng.integers(0, 256, (_SIDE, _SIDE, 3)).astype(np.uint8))


def _feature(feature: Feature, words: tuple[bytes, ...], rng: Random) -> Array:
    if feature.dims is None:
        dims: tuple[int, ...] = (int(rng.integers(0, _ITEMS_A_ROW + 1)),)
    else:
        dims = tuple(_ITEMS_A_ROW if d is None else d for d in feature.dims)
    if feature.dtype == "string":
        return _fill(dims, lambda: _sentence(words, rng))
    if feature.dtype == "float32":
        return rng.normal(0.0, 1.0, dims).astype(np.float32)
    return np.asarray(rng.integers(0, feature.below or 5, dims))


def png(pixels: Array) -> bytes:
    """A PNG file of `[height, width, 3] uint8` pixels, which every image decoding op reads."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + pixels[k].tobytes() for k in range(height))

    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
