"""What a candidate loses against the float model on held-out samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tfpare.data.types import DataOptions
from tfpare.evaluation.metrics import metric_of
from tfpare.evaluation.run import evaluate
from tfpare.evaluation.types import AgreementReport, EvaluateOptions, EvaluationReport
from tfpare.tuning.types import Goal


@dataclass(frozen=True, slots=True)
class Held:
    """The held-out samples, and how models are asked for their answers to them."""

    data: str
    options: DataOptions
    goal: Goal
    signature: str = ""
    tags: tuple[str, ...] | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """A loss; `words` say it with its uncertainty, `data` what it was measured on."""

    drop: float
    words: str
    data: str


def measure_quality(
    reference: Path, candidate: Path, held: Held, count: Callable[[int, int | None], None] = lambda done, total: None
) -> Quality:
    """Asks both models for their answers.

    Args:
        reference: the float model.
        candidate: the other one.
        held: samples and goal.
        count: told how many samples are done, and of how many.

    Raises:
        DataError: the samples cannot be used; TfpareError: a model refuses them.
    """
    options = EvaluateOptions(
        metrics=held.goal.metrics,
        against=candidate,
        data=replace(held.options, need_labels=bool(held.goal.metrics)),
        signature=held.signature,
        output=held.goal.output,
        batch_size=held.goal.batch,
        tags=held.tags,
        input_names=held.input_names,
        output_names=held.output_names,
    )
    report = evaluate(reference, held.data, options, count=count)
    return _of_metrics(report) if held.goal.metrics else _of_agreement(report)


def _of_metrics(report: EvaluationReport) -> Quality:
    """The largest loss of any metric; NaN counts as a loss of everything."""
    worst = -math.inf
    for test in report.paired:
        sign = 1 if metric_of(test.metric).higher_is_better else -1
        loss = sign * (test.before - test.after)
        worst = max(worst, math.inf if math.isnan(loss) else loss)
    return Quality(worst, "; ".join(t.words for t in report.paired), report.data)


def _of_agreement(report: EvaluationReport) -> Quality:
    losses = {a.output: _loss(a) for a in report.agreement}
    worst = max(report.agreement, key=lambda a: losses[a.output], default=None)
    if worst is None:
        return Quality(math.inf, "no output has a value for each sample", report.data)
    share = "nothing to compare" if worst.samples == 0 else f"cosine {worst.mean_cosine}"
    if worst.top1 is not None:
        share = f"{worst.top1:.2%} of {worst.samples:,} samples keep their top class"
        if worst.interval is not None:
            share += f" ({worst.interval.low:.2%} to {worst.interval.high:.2%})"
    elif worst.mean_cosine is not None:
        share = f"mean cosine {worst.mean_cosine:.5f} over {worst.samples:,} samples"
    return Quality(losses[worst.output], share, report.data)


def _loss(agreement: AgreementReport) -> float:
    if agreement.special_differences:
        return math.inf
    if agreement.top1 is not None:
        return 1.0 - agreement.top1
    return 0.0 if agreement.mean_cosine is None else 1.0 - agreement.mean_cosine
