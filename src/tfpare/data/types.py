"""What a data set is to those who use it: plain batches by input key, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tfpare.errors import TfpareError, UsageError
from tfpare.ir.types import Array


class DataError(UsageError):
    """A data set or one of its samples cannot be used; the message names the file or record."""


class Unusable(TfpareError):  # noqa: N818 - says what is wrong
    """One sample cannot be used, and why; becomes a `DataError` that names it, or a line in the skip log."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples that are fed in one call.

    Attributes:
        feeds: arrays by signature input key, first dimension the batch; `DataOptions.constants` are among them as they
            are.
        labels: one a sample, None where the data has none. Integers, floats, or objects (class names as `bytes`).
        names: file or record of each sample, for messages.
        index: the batch's place in the whole data set, the same for every number of shards.
    """

    feeds: dict[str, Array]
    labels: Array | None
    names: tuple[str, ...]
    index: int = 0

    def __len__(self) -> int:
        return len(self.names)


@dataclass(slots=True)
class SkipLog:
    """Samples that were left out because they cannot be used.

    Attributes:
        limit: how many may be; one more is an error.
        messages: what was wrong, each with the file or record.
    """

    limit: int = 0
    messages: list[str] = field(default_factory=list[str])

    def add(self, message: str) -> None:
        """Notes a bad sample.

        Raises:
            DataError: there are more of them than allowed.
        """
        self.messages.append(message)
        if self.limit == 0:
            raise DataError(f"{message} Repair or remove it, or leave out up to N bad samples with --skip-bad N.")
        if len(self.messages) > self.limit:
            raise DataError(f"More than {self.limit} samples cannot be used (--skip-bad {self.limit}). {message}")


class DataSet(Protocol):
    """Where batches come from; may be read as often as wanted."""

    @property
    def description(self) -> str:
        """Source and preprocessing in words, for reports."""
        ...

    @property
    def size(self) -> int | None:
        """Number of samples (bad ones included), None where it is only known at the end."""
        ...

    def batches(
        self, batch_size: int, shard: tuple[int, int] = (0, 1), skipped: SkipLog | None = None
    ) -> Iterator[Batch]:
        """The batches, in a fixed order.

        Batch k holds the samples k·batch_size to (k + 1)·batch_size − 1, less the bad ones; a batch without any good
        sample is left out. So a sample meets the same neighbours whatever the number of shards.

        Args:
            batch_size: samples in a batch; the last one may be smaller.
            shard: (i, n) gives the batches i, i + n, i + 2n, …
            skipped: gets the bad samples, by default a log that allows as many as the data set's options.

        Raises:
            DataError: a sample that cannot be used, or more of them than allowed; or there is no sample at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How samples are read and preprocessed. A picture is cropped, resized, reordered and then (x·scale − mean) / std.

    Attributes:
        resize: height and width of pictures.
        resize_method: as in `tf.image.resize` (`bilinear`, `nearest`, `bicubic`, `area`, `lanczos3`, `lanczos5`,
            `gaussian`, `mitchellcubic`); `bilinear-v1` is TensorFlow 1's `resize_bilinear` (TF-slim was trained with
            it).
        central_crop: the middle part of each side that is kept, 0.875 for many ImageNet models.
        scale: factor of pixels or numbers.
        mean, std: one number, or one for each channel.
        channel_order: `RGB` or `BGR`.
        layout: `NHWC` or `NCHW`; empty for what the input's shape says.
        label_key: array, feature, column or item that holds the label; empty for a usual name.
        label_offset: added to integer labels (1 where the model has a background class and the data none).
        classes: class names in the order of the model's outputs, where labels or folders are names.
        rename: input key → name in the data.
        columns: names of the columns of a text file without a header.
        records: how TFRecords are fed: `serialized` (as they are), `parsed` (features by input key; encoded pictures
            are decoded), or `auto`: serialized where the model itself parses them.
        constants: arrays that are fed with every batch as they are, by input key.
        offset: leave out so many samples at the start.
        limit: use only so many samples.
        skip_bad: so many samples may be unusable.
        seed: of the order of image files (which decides what `limit` takes).
        need_labels: a sample without a label cannot be used.
    """

    resize: tuple[int, int] | None = None
    resize_method: str = "bilinear"
    central_crop: float | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    channel_order: str = "RGB"
    layout: str = ""
    label_key: str = ""
    label_offset: int = 0
    classes: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    columns: tuple[str, ...] = ()
    records: str = "auto"
    constants: Mapping[str, Array] = field(default_factory=dict[str, Array])
    offset: int = 0
    limit: int | None = None
    skip_bad: int = 0
    seed: int = 0
    need_labels: bool = False
