"""What a metric says of each sample; sums, intervals and tests over samples are made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tfpare.data.python_source import from_name
from tfpare.data.types import DataError
from tfpare.errors import UsageError, nearest
from tfpare.ir.types import Array

Outputs: TypeAlias = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Labelled:
    """The outputs of one model for one batch, with what they are held against.

    Attributes:
        outputs: all of them; output: the key that metrics look at.
        labels: one a sample; names: of the samples, for messages.
        positive_class: for `auc`.
    """

    outputs: Outputs
    output: str
    labels: Array
    names: tuple[str, ...]
    positive_class: int | None = None

    @property
    def values(self) -> Array:
        """The output that metrics look at; inner dimensions of size 1 are dropped: [n] or [n, …]."""
        array = self.outputs[self.output]
        kept = [d for d in array.shape[1:] if d != 1]
        return np.reshape(array, (array.shape[0], *kept))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Attributes:
        of_samples: [n] bool (right or wrong) or float64 (a number a sample), whose mean is the metric; for `is_ranking`
            the scores, [n] float64.
        is_ranking: the metric is the AUC of the scores over the whole set.
    """

    name: str
    of_samples: Callable[[Labelled], Array]
    higher_is_better: bool = True
    is_ranking: bool = False
    note: str = ""


def metric_of(name: str) -> Metric:
    """The metric of a name, or of a function `module:function`.

    The function gets the outputs by key and the labels, and gives one number a sample; `True` and `False` count as a
    proportion. It may have an attribute `higher_is_better` (True).

    Raises:
        UsageError: there is none.
    """
    if ":" in name:
        return _of_function(name)
    if name not in _METRICS:
        raise UsageError(f"There is no metric {name!r}.{nearest(name, _METRICS)} Your own: --metric module:function.")
    return _METRICS[name]


def _of_function(name: str) -> Metric:
    function: Any = from_name(name)

    def of_samples(batch: Labelled) -> Array:
        try:
            values = np.asarray(function(batch.outputs, batch.labels))
        except Exception as error:
            where = f"{batch.names[0]} to {batch.names[-1]}"
            raise DataError(f"The metric {name} raised {type(error).__name__} for {where}: {error}") from error
        if values.shape != (len(batch.names),) or values.dtype.kind not in "biuf":
            raise DataError(
                f"The metric {name} gave {values.dtype} of shape {list(values.shape)} for {len(batch.names)} samples: "
                "one number a sample is needed."
            )
        return values if values.dtype.kind == "b" else values.astype(np.float64)

    return Metric(name, of_samples, bool(getattr(function, "higher_is_better", True)))


def _scores(batch: Labelled, metric: str) -> Array:
    values = batch.values
    if values.ndim != 2 or values.dtype.kind not in "fiuV":
        shape = list(batch.outputs[batch.output].shape)
        raise UsageError(
            f"The metric {metric} needs class scores [samples, classes]; the output {batch.output!r} is "
            f"{values.dtype} of shape {shape}. Choose another one with --output."
        )
    return values.astype(np.float64)


def class_labels(batch: Labelled, classes: int) -> Array:
    """The labels as class numbers, [n] int64.

    Raises:
        DataError: names, or numbers that are no class of the model.
    """
    labels = batch.labels
    if labels.dtype.kind == "O":
        raise DataError(
            f"{batch.names[0]}: the label {labels[0]!r} is a name; say with --classes which number each name has."
        )
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        return np.argmax(labels, axis=1)
    if labels.ndim != 1 or not np.array_equal(labels, np.trunc(labels)):
        raise DataError(f"{batch.names[0]}: labels of shape {list(labels.shape[1:])} are no class numbers.")
    numbers = labels.astype(np.int64)
    wrong = np.flatnonzero((numbers < 0) | (numbers >= classes))
    if wrong.size:
        raise DataError(
            f"{batch.names[wrong[0]]}: the label {numbers[wrong[0]]} is none of the classes 0 to {classes - 1} of the "
            f"output {batch.output!r}. If all are shifted, give --label-offset."
        )
    return numbers


def _among_best(batch: Labelled, count: int, metric: str) -> Array:
    """Whether the label is among the `count` largest scores; of equal ones the first counts as larger, as in argmax.

    A row with NaN has no order: it is wrong.
    """
    scores = _scores(batch, metric)
    labels = class_labels(batch, scores.shape[1])[:, np.newaxis]
    own = np.take_along_axis(scores, labels, axis=1)
    places = np.arange(scores.shape[1], dtype=np.int64)
    is_tie_before = np.equal(scores, own) & np.less(places, labels)
    before = np.count_nonzero(np.greater(scores, own) | is_tie_before, axis=1)
    return np.less(before, count) & ~np.any(np.isnan(scores), axis=1)


def _top1(batch: Labelled) -> Array:
    """Also of a model that answers with the class itself."""
    values = batch.values
    return _accuracy(batch) if values.ndim == 1 and values.dtype.kind in "iuO" else _among_best(batch, 1, "top1")


def _accuracy(batch: Labelled) -> Array:
    values = batch.values
    if values.ndim == 2 and values.dtype.kind not in "SUO":
        return _among_best(batch, 1, "accuracy")
    if values.ndim != 1:
        raise UsageError(
            f"The metric accuracy needs classes or scores; the output {batch.output!r} has the shape "
            f"{list(values.shape)}. Choose another one with --output."
        )
    if values.dtype.kind == "O" or batch.labels.dtype.kind == "O":
        return np.array([_text(v) == _text(w) for v, w in zip(values.tolist(), batch.labels.tolist(), strict=True)])
    if values.dtype.kind not in "iub":
        return (values.astype(np.float64) > 0.5) == (class_labels(batch, 2) == 1)
    return np.equal(values.astype(np.int64), batch.labels)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _ranking_scores(batch: Labelled) -> Array:
    values, wanted = batch.values, batch.positive_class
    if values.ndim == 1:
        return values.astype(np.float64)
    scores = _scores(batch, "auc")
    if wanted is None and scores.shape[1] != 2:
        raise UsageError(
            f"auc needs one score a sample; the output {batch.output!r} has {scores.shape[1]} classes. "
            "Say which one is positive with --positive-class."
        )
    wanted = 1 if wanted is None else wanted
    if not 0 <= wanted < scores.shape[1]:
        raise UsageError(f"--positive-class {wanted} is none of the {scores.shape[1]} classes.")
    return scores[:, wanted]


def positives(batch: Labelled) -> Array:
    """For `auc`: which samples are positive, [n] bool."""
    values = batch.values
    if batch.positive_class is None:
        return class_labels(batch, 2) == 1
    return class_labels(batch, values.shape[1] if values.ndim == 2 else max(2, batch.positive_class + 1)) == (
        batch.positive_class
    )


def _squared_errors(batch: Labelled) -> Array:
    values, labels = batch.values, batch.labels
    n = len(batch.names)
    if values.dtype.kind in "SUO" or labels.dtype.kind == "O":
        raise DataError(f"{batch.names[0]}: mse needs numbers; choose the output with --output, the label --label-key.")
    if values.size != labels.size:
        raise DataError(
            f"{batch.names[0]}: the label has {labels.size // n} numbers, the output {batch.output!r} "
            f"{values.size // n}: mse needs as many."
        )
    wide = values.astype(np.float64).reshape(n, -1) - labels.astype(np.float64).reshape(n, -1)
    return (wide**2).mean(axis=1)


_METRICS = {
    m.name: m
    for m in (
        Metric("top1", _top1),
        Metric("top5", lambda batch: _among_best(batch, 5, "top5")),
        Metric("accuracy", _accuracy),
        Metric("auc", _ranking_scores, is_ranking=True),
        Metric("mse", _squared_errors, higher_is_better=False),
    )
}
