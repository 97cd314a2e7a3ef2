"""Inputs that the user gives: `--data`, `--inputs` and `--input_exprs`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tfpare.errors import UsageError, nearest
from tfpare.feeds import expressions
from tfpare.feeds.spec import InputSpec, SignatureSpec
from tfpare.ir.types import Array

_CHUNK_ROWS = 32  # of a data set, in one call where the batch is free
_FILE = re.compile(r"^(?P<file>.*?)(\[(?P<name>[^\]]*)\])?$")


def load(data: Path | None, inputs: str, input_exprs: str, seed: int) -> dict[str, Array]:
    """The arrays by key (`key` or `signature/key`) from all three sources.

    Raises:
        UsageError: a file that is missing, holds pickled objects or no such array, or a refused expression.
    """
    arrays: dict[str, Array] = {}
    if data is not None:
        arrays.update(_load_npz(data))
    for key, rest in expressions.split(inputs):
        match = _FILE.match(rest)
        assert match is not None
        arrays[key] = _load_file(Path(match["file"]), match["name"])
    for key, rest in expressions.split(input_exprs):
        arrays[key] = expressions.evaluate(rest, seed)
    return arrays


def _load_npz(path: Path) -> dict[str, Array]:
    loaded = _open(path)
    if isinstance(loaded, np.ndarray):
        raise UsageError(f"{path} holds one array without a key. Give it with --inputs 'key={path}', or use an .npz.")
    return dict(loaded)


def _open(path: Path) -> Array | dict[str, Array]:
    try:
        loaded = np.load(path.expanduser(), allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else {k: loaded[k] for k in loaded.files}  # pyright: ignore
    except FileNotFoundError as error:
        raise UsageError(f"The input file {path} does not exist.") from error
    except Exception as error:  # NumPy raises zipfile's, zlib's and its own errors for damaged files
        hint = " Pickled (object) arrays are refused: save strings as fixed-width arrays (dtype 'S')."
        raise UsageError(f"The input file {path} cannot be read: {error}.{hint}") from error


def _load_file(path: Path, name: str | None) -> Array:
    loaded = _open(path)
    if isinstance(loaded, np.ndarray):
        if name:
            raise UsageError(f"{path} holds a single array: leave [{name}] out.")
        return loaded
    if not name and len(loaded) == 1:
        return next(iter(loaded.values()))
    if name not in loaded:
        raise UsageError(f"{path} has no array {name or '(none named)'!r}.{nearest(name or '', loaded)}")
    return loaded[name]


def check_keys(arrays: Mapping[str, Array], specs: Iterable[SignatureSpec]) -> None:
    """Refuses arrays that no signature takes.

    Raises:
        UsageError: with the nearest key.
    """
    known: set[str] = set()
    for spec in specs:
        parts = {p for i in spec.inputs for p in i.parts}
        known |= parts | {f"{spec.name}/{p}" for p in parts}
    for key in arrays:
        if key not in known:
            short = [k for k in known if "/" not in k] or known
            raise UsageError(f"No signature has an input {key!r}.{nearest(key, known if '/' in key else short)}")


def for_signature(spec: SignatureSpec, arrays: Mapping[str, Array]) -> list[dict[str, Array]] | None:
    """The feeds of one signature from the given arrays, in chunks; None where none is for it.

    Raises:
        UsageError: only some of the inputs are given, or a dtype or shape does not fit.
    """
    chosen: dict[str, Array] = {}
    missing: list[str] = []
    for one in spec.inputs:
        for part in one.parts:
            array = arrays.get(f"{spec.name}/{part}", arrays.get(part))
            if array is None:
                missing.append(part)
            else:
                chosen[part] = array if one.is_sparse and part != one.parts[1] else _fit(one, array)
    if not chosen:
        return None
    if missing:
        raise UsageError(f"Signature {spec.name!r} also needs values for: {', '.join(missing)}.")
    return _chunks(spec, chosen)


def _fit(spec: InputSpec, array: Array) -> Array:
    wanted = spec.dtype.numpy
    if spec.dtype.name == "string":
        if array.dtype.kind not in "SUO":
            raise UsageError(f"Input {spec.key!r} takes strings, not {array.dtype}.")
        return array.astype(object)
    if array.dtype.kind in "SUO" or wanted is None:
        raise UsageError(f"Input {spec.key!r} takes {spec.dtype}, not {array.dtype}.")
    cast = array.astype(wanted)
    if spec.dtype.is_integer and not np.array_equal(cast.astype(np.float64), array.astype(np.float64)):
        raise UsageError(f"Input {spec.key!r} takes {spec.dtype}; the given {array.dtype} values do not fit into it.")
    _check_shape(spec, cast)
    return cast


def _check_shape(spec: InputSpec, array: Array) -> None:
    if spec.dims is None or spec.is_sparse:
        return
    fits = len(spec.dims) == array.ndim and all(
        d in (None, n) for d, n in zip(spec.dims[1:], array.shape[1:], strict=True)
    )
    if not fits:
        shape = ", ".join("?" if d is None else str(d) for d in spec.dims)
        raise UsageError(f"Input {spec.key!r} has shape [{shape}], the given array {list(array.shape)}.")


def _chunks(spec: SignatureSpec, chosen: dict[str, Array]) -> list[dict[str, Array]]:
    """Cuts along the first dimension where every input has one of the same length."""
    batched = [i for i in spec.inputs if i.dims is None or len(i.dims) > 0]
    sizes = {chosen[i.parts[0]].shape[:1] for i in batched}
    if len(sizes) != 1 or any(i.is_sparse for i in spec.inputs) or () in sizes:
        return [chosen]
    rows, fixed = sizes.pop()[0], {i.dims[0] for i in batched if i.dims is not None} - {None}
    step = fixed.pop() or _CHUNK_ROWS if len(fixed) == 1 else _CHUNK_ROWS
    if rows == 0 or (fixed and rows % step):
        return [chosen]
    names = {i.parts[0] for i in batched}
    starts = range(0, rows, step)
    return [{k: a[s : s + step] if k in names else a for k, a in chosen.items()} for s in starts]
