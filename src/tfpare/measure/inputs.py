"""What the calls are fed: the user's arrays or data, else drawn inputs that the model accepts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from tfpare.data.open import open_data
from tfpare.data.types import DataOptions, DataSet
from tfpare.errors import UsageError
from tfpare.execution import ModelRunner, RunRefused
from tfpare.feeds import given
from tfpare.feeds.draw import Plan, draw, plans
from tfpare.feeds.spec import SignatureSpec
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.measure.types import BenchmarkOptions

Feeds = dict[str, Array]
_DIFFERENT = 4  # inputs that take turns, so that no call sees what the one before has left in the caches
_MOST_BYTES = 256_000_000


class Inputs:
    """Inputs of any batch size, the same for every model and process.

    Args:
        spec: of the signature.
        options: where inputs come from.
        data_options: how `options.data` is read.

    Raises:
        UsageError: arrays that do not fit, or that no signature takes.
    """

    def __init__(self, spec: SignatureSpec, options: BenchmarkOptions, data_options: DataOptions | None = None) -> None:
        self._spec, self._options, self._plan = spec, options, Plan()
        self._arrays = given.load(None, options.inputs, options.input_exprs, options.seed)
        given.check_keys(self._arrays, [spec])
        chunks = given.for_signature(spec, self._arrays)
        self._given = _joined(chunks) if chunks else None
        self._data = open_data(options.data, spec, data_options) if options.data is not None else None

    @property
    def words(self) -> str:
        """Where they come from, for reports."""
        if self._data is not None:
            return self._data.description
        if self._given is not None:
            return "as given with --inputs or --input_exprs"
        return f"drawn at random by dtype and shape (seed {self._options.seed})" if self._spec.inputs else "none needed"

    def settle(self, model: Model) -> None:
        """Finds drawn inputs that the model accepts, in a process of its own: its first call is then no first call.

        Raises:
            UsageError: it accepts none of the guesses.
        """
        guesses = list(plans(self._spec))
        if self._given is not None or self._data is not None or len(guesses) < 2:
            return
        refusal = ""
        with ModelRunner.of(model) as runner:
            for plan in guesses:
                try:
                    runner.run(self._spec.name, draw(self._spec, plan, self._options.batches[0], 0, self._options.seed))
                except RunRefused as error:
                    refusal = str(error)
                    continue
                self._plan = plan
                return
        raise UsageError(
            f"No drawn inputs were accepted by signature {self._spec.name!r}; give some with --data, --inputs or "
            f"--input_exprs. The last refusal: {refusal}"
        )

    def of_batch(self, batch: int) -> list[Feeds]:
        """Sets of inputs with that many rows (where the batch is free), to be fed in turn."""
        if self._data is not None:
            return self._from_data(self._data, batch)
        if self._given is not None:
            return [self._tiled(self._given, batch, _rows(self._given))]
        seeds = range(self._options.seed, self._options.seed + _DIFFERENT)
        return _within(draw(self._spec, self._plan, batch, 0, seed) for seed in seeds)

    def _from_data(self, data: DataSet, batch: int) -> list[Feeds]:
        wanted = islice(data.batches(batch), _DIFFERENT)
        return _within(self._tiled(b.feeds, batch, len(b)) for b in wanted)

    def _tiled(self, feeds: Feeds, batch: int, rows: int) -> Feeds:
        """Rows repeated or left out until there are `batch`, where the batch is free."""
        free = {p for i in self._spec.inputs if i.has_free_batch and not i.is_sparse for p in i.parts}
        batched = {k for k, a in feeds.items() if k in free and a.ndim > 0 and len(a) == rows}
        return {k: a[np.arange(batch) % rows] if k in batched and rows else a for k, a in feeds.items()}


def _joined(chunks: list[Feeds]) -> Feeds:
    """The arrays as they were given, before they were cut."""
    if len(chunks) == 1:
        return chunks[0]
    return {
        k: a if all(c[k] is a for c in chunks) else np.concatenate([c[k] for c in chunks]) for k, a in chunks[0].items()
    }


def _rows(feeds: Feeds) -> int:
    """Length of the first dimension that most inputs share."""
    lengths = [len(a) for a in feeds.values() if a.ndim > 0]
    return max(lengths, key=lengths.count, default=0)


def _within(found: Iterable[Feeds]) -> list[Feeds]:
    """As many as fit into memory, one at least."""
    kept: list[Feeds] = []
    size = 0
    for feeds in found:
        size += sum(a.nbytes for a in feeds.values())
        if kept and size > _MOST_BYTES:
            break
        kept.append(feeds)
    return kept
