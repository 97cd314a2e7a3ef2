"""What an evaluation takes and gives: plain data, so that reports and the command line need nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tfpare.data.types import DataOptions

LEVEL = 0.95
"""Of every interval; its counterpart 1 − LEVEL decides between "loss" and "no loss seen"."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is measured, and where.

    Attributes:
        metrics: `top1`, `top5`, `accuracy`, `auc`, `mse` or `module:function`; with `against` it may be empty.
        against: a second model, asked the same: agreement, and on labelled data the paired test.
        data: how samples are read; see `DataOptions`.
        signature: to call; by default `serving_default`, or the only one.
        output: output key that metrics look at; by default the one that looks like class scores.
        positive_class: for `auc`: the class that counts as positive.
        batch_size: samples in a call, where the model leaves that free.
        engine: `local`, or `ray` for shards as tasks on a Ray cluster.
        ray_address: of the cluster; by default the one that Ray finds, else a new one on this machine.
        shards: parts for Ray; by default four for each that can run at a time.
        cpus_per_shard: CPUs of the cluster that a part claims while it runs.
        tags, input_names, output_names: what to read; see `tfpare.io.read.ReadOptions`.
        timeout_s: seconds for loading a model, and again for each call.
    """

    metrics: tuple[str, ...] = ()
    against: Path | None = None
    data: DataOptions = field(default_factory=DataOptions)
    signature: str = ""
    output: str = ""
    positive_class: int | None = None
    batch_size: int = 32
    engine: str = "local"
    ray_address: str | None = None
    shards: int | None = None
    cpus_per_shard: int = 1
    tags: tuple[str, ...] | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; `method` says how it was computed."""

    low: float
    high: float
    method: str
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric of one model.

    Attributes:
        value: NaN where it cannot be computed; `note` says why.
        interval: where the value is expected with other samples of the same kind.
        samples: that count.
        higher_is_better: False for errors.
    """

    metric: str
    model: Path
    value: float
    interval: Interval | None
    samples: int
    higher_is_better: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two models on the same labelled samples.

    Attributes:
        before, after: the metric of the first and the second model.
        difference: after − before, in the metric's unit; interval: of the difference.
        p_value: probability of a difference at least this large if both were equally good.
        method: of the test.
        lost, gained: for proportions, samples that only the first or only the second model got right.
        verdict: `no loss seen`, `loss` or `gain`; `unknown` where the metric itself is.
        words: the verdict as a sentence with its numbers.
    """

    metric: str
    before: float
    after: float
    difference: float
    interval: Interval | None
    p_value: float
    method: str
    samples: int
    verdict: str
    words: str
    lost: int | None = None
    gained: int | None = None


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """How far two models' answers are apart on one output, labels aside.

    Attributes:
        samples: that both answered.
        top1: share of samples with the same largest entry (for class ids and strings: with equal values), None where
            the output is no vector of scores; interval: of that share.
        max_abs, mean_abs: |a − b| over all entries; max_relative: max_abs over the output's largest magnitude.
        mean_cosine, min_cosine: cosine between the two answers to a sample.
        mean_kl, max_kl: Kullback-Leibler divergence of the second from the first, in nats; of the softmax unless the
            outputs are distributions (`kl_of` says which).
        special_differences: entries that are NaN or infinite in one answer and not the same in the other.
    """

    output: str
    samples: int
    top1: float | None
    interval: Interval | None
    max_abs: float | None
    mean_abs: float | None
    max_relative: float | None
    mean_cosine: float | None
    min_cosine: float | None
    mean_kl: float | None
    max_kl: float | None
    kl_of: str = ""
    special_differences: int = 0


@dataclass(slots=True)
class EvaluationReport:
    """What `evaluate` found.

    Attributes:
        model, against: the models.
        data: source and preprocessing in words.
        signature: that was called.
        output: that the metrics looked at; empty where there was no metric.
        samples: that were used; skipped: that could not be, with the first reasons in `skipped_samples`.
        results: by metric the first model, then the second.
        paired: one test for each metric, where there are two models.
        agreement: by output, where there are two models.
        batch_size: samples in a call.
        engine: `local`, or `ray` with the number of shards.
        seconds: of the whole evaluation.
        command: that repeats it, where it came from the command line.
    """

    model: Path
    against: Path | None
    data: str
    signature: str
    output: str
    samples: int
    skipped: int
    skipped_samples: list[str]
    results: list[MetricResult]
    paired: list[PairedTest]
    agreement: list[AgreementReport]
    batch_size: int
    engine: str = "local"
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    command: str = ""

    @property
    def metric(self) -> str:
        """Name of the first metric."""
        return self.results[0].metric

    @property
    def value(self) -> float:
        """The first metric of the first model."""
        return self.results[0].value

    @property
    def interval(self) -> Interval | None:
        """Of `value`."""
        return self.results[0].interval
