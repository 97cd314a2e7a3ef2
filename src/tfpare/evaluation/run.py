"""`tfpare.evaluate`: metrics of a model on labelled data, and how it agrees with another one."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tfpare.data.python_source import Samples
from tfpare.data.types import DataError, SkipLog
from tfpare.errors import UsageError
from tfpare.evaluation.local import Count, run_locally
from tfpare.evaluation.metrics import metric_of
from tfpare.evaluation.on_ray import run_on_ray
from tfpare.evaluation.outputs import choose_output, matching_outputs
from tfpare.evaluation.tally import paired_test, results
from tfpare.evaluation.task import BatchTally, Target, Task
from tfpare.evaluation.types import EvaluateOptions, EvaluationReport
from tfpare.feeds.spec import SignatureSpec
from tfpare.measure.subjects import Subject, subjects
from tfpare.measure.types import BenchmarkOptions

_SHOWN = 10  # bad samples in the report


def _silent(step: str) -> None:
    del step


def _uncounted(done: int, total: int | None) -> None:
    del done, total


def evaluate(
    model: str | os.PathLike[str],
    data: str | Path | Samples,
    options: EvaluateOptions | None = None,
    progress: Callable[[str], None] = _silent,
    count: Count = _uncounted,
) -> EvaluationReport:
    """Asks one or two models for their answers to a data set, and says how good or how equal they are.

    Args:
        model: SavedModel directory, `.pb`, checkpoint prefix with `.meta`, `.keras` or `.h5`.
        data: see `tfpare.data.open.open_data`; a function or an iterable such as a tf.data.Dataset also do.
        options: metrics, the second model, preprocessing, where to run.
        progress: told what is being done.
        count: told how many samples are done, and of how many.

    Raises:
        UsageError: options that do not fit the model or each other; DataError among them: bad data, naming the sample.
        UnsupportedModel: no model.
        TfpareError: a model does not load, or refuses the samples.
    """
    started = time.perf_counter()
    options = options or EvaluateOptions(metrics=("top1",))
    _check(options)
    with ExitStack() as stack:
        progress("reading")
        task, notes = _plan(Path(os.path.expanduser(model)), data, options, stack)
        opened = task.open()
        progress("evaluating")
        skipped = SkipLog(options.data.skip_bad)
        total, engine = _run(task, opened.size, skipped, count, options)
    if total.samples == 0:
        raise DataError(f"None of the samples of {opened.description} can be used. {skipped.messages[0]}")
    notes += [f"the output {name!r} has no value for each sample: left out" for name in sorted(total.unshaped)]
    report = _report(Path(model), task, options, total, notes)
    report.data, report.engine = opened.description, engine
    report.skipped, report.skipped_samples = len(skipped.messages), skipped.messages[:_SHOWN]
    report.seconds = time.perf_counter() - started
    return report


def _check(options: EvaluateOptions) -> None:
    for name in options.metrics:
        metric_of(name)
    if not options.metrics and options.against is None:
        raise UsageError("There is nothing to evaluate: give --metric, or a second model with --against.")
    if options.batch_size < 1:
        raise UsageError("--batch is at least 1.")
    if options.engine not in ("local", "ray"):
        raise UsageError(f"--engine is local or ray, not {options.engine!r}.")
    if options.engine == "local" and (options.ray_address or options.shards):
        raise UsageError("--ray-address and --shards are for --engine ray.")


def _plan(
    model: Path, data: str | Path | Samples, options: EvaluateOptions, stack: ExitStack
) -> tuple[Task, list[str]]:
    wanted = BenchmarkOptions(options.tags, options.signature, options.input_names, options.output_names)
    found = subjects([model, *([options.against] if options.against else [])], wanted, stack)
    first = found.all[0]
    signature = first.signatures[first.signature]
    output = choose_output(signature, options.output) if options.metrics else ""
    fixed = _fixed_batch(found.spec, options)
    task = Task(
        targets=tuple(_target(first, subject) for subject in found.all),
        spec=found.spec,
        source=_absolute(data),
        data=dataclasses.replace(options.data, need_labels=bool(options.metrics)),
        metrics=options.metrics,
        output=output,
        positive_class=options.positive_class,
        batch_size=fixed or options.batch_size,
        fixed_batch=fixed,
        timeout_s=options.timeout_s,
    )
    return task, list(found.notes)


def _target(first: Subject, subject: Subject) -> Target:
    ours, theirs = first.signatures[first.signature], subject.signatures[subject.signature]
    return Target(
        path=subject.path.absolute(),
        form=subject.form,
        tags=subject.tags,
        signatures=subject.signatures,
        signature=subject.signature,
        keys=subject.keys,
        outputs=matching_outputs(ours, theirs),
    )


def _absolute(data: str | Path | Samples) -> str | Path | Samples:
    """Workers of a cluster have working directories of their own."""
    if isinstance(data, (str, Path)) and (path := Path(data).expanduser()).exists():
        return path.absolute()
    return data


def _fixed_batch(spec: SignatureSpec, options: EvaluateOptions) -> int | None:
    sizes = {
        i.dims[0] for i in spec.inputs if i.key not in options.data.constants and i.dims is not None and len(i.dims) > 0
    } - {None}
    return sizes.pop() if len(sizes) == 1 else None


def _run(
    task: Task, size: int | None, skipped: SkipLog, count: Count, options: EvaluateOptions
) -> tuple[BatchTally, str]:
    if options.engine == "local":
        return run_locally(task, size, skipped, count), "local"
    cpus = options.cpus_per_shard
    total, shards = run_on_ray(task, size, skipped, count, options.ray_address, options.shards, cpus)
    return total, f"ray, {shards} shards"


def _report(model: Path, task: Task, options: EvaluateOptions, total: BatchTally, notes: list[str]) -> EvaluationReport:
    models = [model, *([options.against] if options.against else [])]
    metrics = [metric_of(name) for name in task.metrics]
    unit = "images" if any(i.is_image or i.kind == "image" for i in task.spec.inputs) else "samples"
    return EvaluationReport(
        model=model,
        against=options.against,
        data="",
        signature=task.targets[0].signature,
        output=task.output,
        samples=total.samples,
        skipped=0,
        skipped_samples=[],
        results=[r for m in metrics for r in results(m, total.metrics[m.name], models)],
        paired=[paired_test(m, total.metrics[m.name], unit) for m in metrics if options.against],
        agreement=[total.agreement[name].report(name) for name in sorted(total.agreement)],
        batch_size=task.batch_size,
        notes=notes,
    )
