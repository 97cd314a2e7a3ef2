"""A data set over any source: records become samples, samples batches; bad ones are left out or end it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from tfpare.data.fit import Fitter, Sample
from tfpare.data.labels import stack_labels
from tfpare.data.preprocess import describe_preprocessing
from tfpare.data.source import Record, Source
from tfpare.data.types import Batch, DataError, DataOptions, SkipLog, Unusable
from tfpare.feeds.spec import SignatureSpec
from tfpare.ir.types import Array


class RecordSet:
    """The one implementation of `DataSet`.

    Args:
        source: of the records.
        spec: the signature that is to be fed.
        options: see `DataOptions`.

    Raises:
        DataError: options that do not fit the signature.
    """

    def __init__(self, source: Source, spec: SignatureSpec, options: DataOptions) -> None:
        self._source, self._options = source, options
        self._fitter = Fitter(spec, options, source.is_flat)

    @property
    def description(self) -> str:
        """Source and preprocessing in words."""
        options = self._options
        parts = [_part(options) + self._source.description, describe_preprocessing(options)]
        parts += [f"{key} from {name!r}" for key, name in options.rename.items()]
        parts += [f"{key} = {_short(value)}" for key, value in options.constants.items()]
        parts += [f"labels + {options.label_offset}"] if options.label_offset else []
        return "; ".join(p for p in parts if p)

    @property
    def size(self) -> int | None:
        """Number of samples."""
        size, limit = self._source.size, self._options.limit
        if size is None:
            return None
        rest = max(0, size - self._options.offset)
        return rest if limit is None else min(rest, limit)

    def batches(
        self, batch_size: int, shard: tuple[int, int] = (0, 1), skipped: SkipLog | None = None
    ) -> Iterator[Batch]:
        """See `DataSet.batches`."""
        log = SkipLog(self._options.skip_bad) if skipped is None else skipped
        offset, limit = self._options.offset, self._options.limit
        records = islice(self._source.records(), offset, None if limit is None else offset + limit)
        mine, shards = shard
        index = 0
        with ThreadPoolExecutor(os.cpu_count(), "tfpare-data") as pool:
            while group := list(islice(records, batch_size)):
                if index % shards == mine:
                    batch = self._batch(index, group, log, pool)
                    if batch is not None:
                        yield batch
                index += 1
        if index == 0:
            raise DataError(f"There is no sample in {_part(self._options)}{self._source.description}.")

    def _batch(self, index: int, group: Sequence[Record], log: SkipLog, pool: ThreadPoolExecutor) -> Batch | None:
        samples: list[Sample] = []
        names: list[str] = []
        for record, made in zip(group, pool.map(self._load, group), strict=True):
            bad = made if isinstance(made, Unusable) else _unlike(samples, made)
            if bad is not None:
                log.add(f"{record.name}: {bad}")
            elif isinstance(made, Sample):
                samples.append(made)
                names.append(record.name)
        if not samples:
            return None
        feeds = {key: np.stack([s.feeds[key] for s in samples]) for key in samples[0].feeds}
        try:
            labels = stack_labels([s.label for s in samples])
        except Unusable as error:
            raise DataError(f"{names[0]} to {names[-1]}: {error}") from error
        return Batch(feeds | dict(self._options.constants), labels, tuple(names), index)

    def _load(self, record: Record) -> Sample | Unusable:
        try:
            return self._fitter.sample(record.load())
        except Unusable as error:
            return error


def _unlike(samples: Sequence[Sample], sample: Sample) -> Unusable | None:
    """Why a sample cannot be stacked with the ones before it."""
    for key, array in sample.feeds.items() if samples else ():
        first = samples[0].feeds[key]
        if first.shape != array.shape:
            shapes = f"{list(array.shape)}, samples before it {list(first.shape)}"
            return Unusable(
                f"the value for {key!r} has the shape {shapes}: a batch needs one shape. "
                f"For pictures give --resize HxW, for others --batch 1."
            )
    return None


def _part(options: DataOptions) -> str:
    """Which of the source's samples are used, in words."""
    limit, offset = options.limit, options.offset
    if not offset:
        return "" if limit is None else f"the first {limit} of "
    return f"samples from number {offset} on of " if limit is None else f"samples {offset} to {offset + limit - 1} of "


def _short(value: Array) -> str:
    return str(value.tolist()) if value.size <= 4 else f"an array of shape {list(value.shape)}"
