"""One evaluation as plain data, and the work on one part of it: the same code on this machine and on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpare.data.open import open_data
from tfpare.data.prefetch import prefetched
from tfpare.data.python_source import Samples
from tfpare.data.types import Batch, DataError, DataOptions, DataSet, SkipLog
from tfpare.errors import TfpareError
from tfpare.evaluation.agreement import Agreement
from tfpare.evaluation.metrics import Labelled, metric_of
from tfpare.evaluation.tally import Tally
from tfpare.execution import ModelRunner
from tfpare.feeds.spec import SignatureSpec
from tfpare.ir.model import Signature
from tfpare.ir.types import Array


@dataclass(frozen=True, slots=True)
class Target:
    """A model to ask.

    Attributes:
        path, form, tags, signatures: as `ModelRunner` takes them.
        signature: to call; keys: its name of each of the first model's inputs.
        outputs: its name of each of the first model's outputs.
    """

    path: Path
    form: str
    tags: tuple[str, ...]
    signatures: Mapping[str, Signature]
    signature: str
    keys: Mapping[str, str]
    outputs: Mapping[str, str]

    def runner(self, timeout_s: float) -> ModelRunner:
        """A child process that loads it."""
        return ModelRunner(
            self.path,
            form=self.form,
            signatures=self.signatures,
            tags=self.tags,
            timeout_s=timeout_s,
            may_use_session=True,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """What to evaluate.

    Attributes:
        targets: one model, or two.
        spec: what is known of the first one's inputs.
        source: of the data; data: how it is read.
        metrics: names; output: that they look at.
        fixed_batch: the only batch size that the model takes, None where it is free.
    """

    targets: tuple[Target, ...]
    spec: SignatureSpec
    source: str | Path | Samples
    data: DataOptions
    metrics: tuple[str, ...]
    output: str
    positive_class: int | None
    batch_size: int
    fixed_batch: int | None
    timeout_s: float

    def open(self) -> DataSet:
        """The data set."""
        return open_data(self.source, self.spec, self.data)


@dataclass(slots=True)
class BatchTally:
    """What one batch adds, or several that were joined in their order.

    Attributes:
        index: place of the batch in the data set.
        metrics: by name; agreement: by output.
        unshaped: outputs that have no value for each sample, so that nothing is said of them.
    """

    index: int
    samples: int = 0
    metrics: dict[str, Tally] = field(default_factory=dict[str, Tally])
    agreement: dict[str, Agreement] = field(default_factory=dict[str, Agreement])
    unshaped: set[str] = field(default_factory=set[str])

    def add(self, other: BatchTally) -> None:
        """Joins what follows."""
        self.samples += other.samples
        self.unshaped |= other.unshaped
        for name, tally in other.metrics.items():
            self.metrics.setdefault(name, Tally()).add(tally)
        for name, agreement in other.agreement.items():
            self.agreement.setdefault(name, Agreement()).add(agreement)


def tallies(
    task: Task, runners: Sequence[ModelRunner], shard: tuple[int, int], skipped: SkipLog
) -> Iterator[BatchTally]:
    """Evaluates a shard, batch by batch.

    Raises:
        DataError: bad samples, beyond what is allowed; labels or outputs that a metric cannot use.
        RunRefused: a model refuses a batch.
        ModelCrashed: the process of a model died.
    """
    for batch in prefetched(task.open().batches(task.batch_size, shard, skipped)):
        answers = [_ask(task, target, runner, batch) for target, runner in zip(task.targets, runners, strict=True)]
        yield _tally(task, batch, answers)


def _ask(task: Task, target: Target, runner: ModelRunner, batch: Batch) -> dict[str, Array]:
    """A model's answers to a batch, by the first model's names."""
    constants = task.data.constants
    feeds = {target.keys[k]: a if k in constants else _filled(a, task.fixed_batch) for k, a in batch.feeds.items()}
    try:
        answers = runner.run(target.signature, feeds)
    except TfpareError as error:
        where = f" The samples were {batch.names[0]} to {batch.names[-1]}."
        raise type(error)(f"{error}{where}") from error
    padding = (task.fixed_batch or len(batch)) - len(batch)
    found: dict[str, Array] = {}
    for name, theirs in target.outputs.items():
        array = answers.get(theirs)
        if array is not None and array.shape[:1] == (len(batch) + padding,):
            found[name] = array[: len(batch)]
    return found


def _filled(array: Array, rows: int | None) -> Array:
    """A batch of the size that the model wants, by repeating the last sample."""
    return array if rows is None else np.concatenate([array, np.repeat(array[-1:], rows - len(array), axis=0)])


def _tally(task: Task, batch: Batch, answers: Sequence[Mapping[str, Array]]) -> BatchTally:
    made = BatchTally(batch.index, len(batch))
    made.unshaped = {k for k in task.targets[0].outputs if any(k not in a for a in answers)}
    if task.metrics:
        if task.output in made.unshaped:
            raise DataError(f"The output {task.output!r} has no value for each sample: choose another with --output.")
        if batch.labels is None:
            raise DataError(f"{batch.names[0]} has no label: --metric needs labels, --against alone does not.")
        labels, names = batch.labels, batch.names
        labelled = [Labelled(a, task.output, labels, names, task.positive_class) for a in answers]
        made.metrics = {name: Tally.of(metric_of(name), labelled) for name in task.metrics}
    if len(answers) == 2:
        first, second = answers
        made.agreement = {k: Agreement.of(first[k], second[k], k) for k in first if k not in made.unshaped}
    return made
