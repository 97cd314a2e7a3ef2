"""`tfpare.benchmark`: every model in fresh processes, taking turns, phase by phase."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tfpare.data.types import DataOptions
from tfpare.errors import UsageError
from tfpare.measure import machine
from tfpare.measure.files import file_sizes
from tfpare.measure.inputs import Inputs
from tfpare.measure.process import MeasuredProcess
from tfpare.measure.profile import profile_of
from tfpare.measure.statistics import ratio_interval, summarize, thin, verdict
from tfpare.measure.subjects import Subject, Subjects, choose_via, subjects
from tfpare.measure.turns import Recorded, deciding_quantile, log_ratios, take_turns
from tfpare.measure.types import (
    BenchmarkOptions,
    BenchmarkReport,
    FileSizes,
    Memory,
    ModelTimes,
    Profile,
    Ratio,
    Via,
    WarmCalls,
    Workload,
)

Progress = Callable[[str, float], None]
"""Told what is being done, and how much of all work is done, 0 to 1."""

_TRACED_CALLS = 10
# Loading and the first call are judged besides, from one time a process: together they may err as rarely as one half of
# what warm calls may.
_CALLS_CONFIDENCE, _PHASE_CONFIDENCE = 0.95, 0.99
_KNOWN_WELL = 1.05  # a ratio's interval, from its middle to an end
_FEWEST_TO_TELL = 5  # Student's t is too wide with fewer processes, however quiet the machine is
_GROWING_QUEUE = 0.1  # of the time: then calls were still waiting well after the last arrival


def benchmark(
    *models: str | os.PathLike[str],
    options: BenchmarkOptions | None = None,
    data_options: DataOptions | None = None,
    progress: Progress = lambda step, share: None,
) -> BenchmarkReport:
    """Times one or several models.

    Args:
        models: in any form that tfpare reads; ratios are against the first.
        options: what to measure, and for how long.
        data_options: how `options.data` is read.
        progress: told what is being done.

    Raises:
        UsageError: the call is wrong; UnsupportedModel: one is no model.
        RunRefused: TensorFlow does not load or run a model; ModelCrashed: its process died.
    """
    options = options or BenchmarkOptions()
    _check(options, models)
    begin = time.perf_counter()
    with ExitStack() as stack:
        progress("reading", 0.0)
        found = subjects([Path(os.path.expanduser(m)) for m in models], options, stack)
        inputs = Inputs(found.spec, options, data_options)
        progress("looking for inputs", 0.0)
        inputs.settle(found.model)
        report = _Benchmark(found, inputs, options, progress).run()
    report.seconds = time.perf_counter() - begin
    return report


def _check(options: BenchmarkOptions, models: Sequence[object]) -> None:
    if not models:
        raise UsageError("Name at least one model.")
    if not options.batches or min(options.batches) < 1:
        raise UsageError("A batch has at least one row.")
    if options.streams < 1 or options.repeats < 1 or options.min_runs < 1:
        raise UsageError("Streams, repeats and runs are at least 1.")
    if options.max_repeats is not None and options.max_repeats < options.repeats:
        raise UsageError(f"--max-repeats is at least --repeats, which is {options.repeats}.")
    if options.rate < 0 or options.min_seconds < 0 or options.min_effect < 0:
        raise UsageError("Rate, seconds and effect are not negative.")


def _most_repeats(options: BenchmarkOptions) -> int:
    if options.max_repeats is not None:
        return options.max_repeats
    return options.repeats * (2 if options.repeats >= _FEWEST_TO_TELL else 1)


@dataclass(slots=True)
class _Gathered:
    """Of one model: phases of each process, and for each workload the turns of each process."""

    import_s: list[float] = field(default_factory=list[float])
    load_s: list[float] = field(default_factory=list[float])
    first_call_s: list[float] = field(default_factory=list[float])
    memory: dict[str, int] = field(default_factory=dict[str, int])
    warm: dict[Workload, list[Recorded]] = field(default_factory=dict[Workload, list[Recorded]])
    processor_s: float = 0.0

    def add(self, process: MeasuredProcess) -> None:
        """Takes over what a finished process has."""
        self.import_s.append(process.import_s)
        self.load_s.append(process.load_s)
        self.first_call_s.append(process.first_call_s)
        for moment, size in process.memory.items():
            self.memory[moment] = max(size, self.memory.get(moment, 0))
        self.processor_s += process.processor_s


class _Benchmark:
    """One run of `benchmark`."""

    def __init__(self, found: Subjects, inputs: Inputs, options: BenchmarkOptions, progress: Progress) -> None:
        self._subjects, self._options, self._progress = found.all, options, progress
        self._via = choose_via(options.via, found.all)
        self._inputs, self._notes = inputs, found.notes
        self._feeds = {b: self._inputs.of_batch(b) for b in options.batches}
        self._gathered = [_Gathered() for _ in found.all]
        self._build: Mapping[str, object] = {}

    def run(self) -> BenchmarkReport:
        """All repeats, then profiles, then the sums."""
        self._progress("sizes of files", 0.0)
        # Compressing reads all files: after that, loading finds them in the system's cache in every repeat.
        files = [file_sizes(s.source, self._options.measure_zip) for s in self._subjects]
        load, begin, own = machine.load_average(), machine.Moment.now(), machine.own_seconds()
        for repeat in range(_most_repeats(self._options)):
            if repeat >= self._options.repeats and self._is_settled():
                break
            self._repeat(repeat)
        end = machine.Moment.now()
        own_s = machine.own_seconds() - own + sum(g.processor_s for g in self._gathered)
        others = machine.others_share(begin, end, own_s)
        profiles = self._profiles()
        environment = machine.environment(self._build, load, others, end.throttled - begin.throttled)
        models = [
            self._times(s, g, f, p) for s, g, f, p in zip(self._subjects, self._gathered, files, profiles, strict=True)
        ]
        cv = max(w.latency.cv for m in models for w in m.warm)
        return BenchmarkReport(
            models=models,
            ratios=[r for k in range(1, len(models)) for r in self._ratios(k)],
            environment=environment,
            inputs=self._inputs.words,
            options=self._options,
            warnings=[*machine.warnings(environment, cv), *_queue_warnings(models)],
            notes=self._notes,
        )

    def _is_settled(self) -> bool:
        """Whether every ratio of warm calls is known well enough, whatever it is; else more processes help."""
        warm = [r.interval for k in range(1, len(self._subjects)) for r in self._ratios(k) if r.workload is not None]
        return all(i.high <= i.low * _KNOWN_WELL**2 for i in warm)

    def _repeat(self, repeat: int) -> None:
        """Fresh processes for all models, one after the other; then turns."""
        order = list(range(len(self._subjects)))
        processes: dict[int, MeasuredProcess] = {}
        with ExitStack() as stack:
            for place, k in enumerate(order if repeat % 2 == 0 else reversed(order)):
                self._tell(repeat, f"loading {self._subjects[k].source.name}", 0.4 * place / len(order))
                process = MeasuredProcess(self._subjects[k], self._via, self._options)
                processes[k] = stack.enter_context(process)
                self._hand_over(process)
                process.first_call(self._options.batches[0])
                self._build = process.build
            for batch in self._options.batches:
                self._turns([processes[k] for k in order], batch, repeat)
            for k in order:
                processes[k].finish()
                self._gathered[k].add(processes[k])

    def _hand_over(self, process: MeasuredProcess) -> None:
        for batch, found in self._feeds.items():
            process.feed(batch, found)

    def _turns(self, processes: list[MeasuredProcess], batch: int, repeat: int) -> None:
        call_s = [p.prepare(batch) for p in processes]
        workloads = self._workloads(batch)
        done = self._options.batches.index(batch) * len(workloads)
        for place, workload in enumerate(workloads):
            step = (done + place) / (len(workloads) * len(self._options.batches))
            width = 1 / (len(workloads) * len(self._options.batches))
            longest = max(c[workload.feeding] for c in call_s)

            def tick(share: float, start: float = step, width: float = width) -> None:
                self._tell(repeat, f"batch {batch}", 0.4 + 0.6 * (start + width * share))

            recorded = take_turns(processes, workload, longest, self._options, repeat, tick)
            for gathered, one in zip(self._gathered, recorded, strict=True):
                gathered.warm.setdefault(workload, []).append(one)

    def _workloads(self, batch: int) -> list[Workload]:
        fed = Workload(batch, self._options.streams, self._options.rate)
        if self._options.rate > 0:
            return [fed]
        return [fed, Workload(batch, self._options.streams, 0.0, feeding=False)]

    def _tell(self, repeat: int, step: str, share: float) -> None:
        total = self._options.repeats
        if repeat < total:
            self._progress(f"repeat {repeat + 1} of {total}: {step}", (repeat + share) / total)
        else:
            self._progress(f"repeat {repeat + 1}, since processes scatter: {step}", 1.0)

    def _profiles(self) -> list[Profile | None]:
        if not self._options.profile and self._options.tensorboard is None:
            return [None] * len(self._subjects)
        return [self._profile(k, s) for k, s in enumerate(self._subjects)]

    def _profile(self, number: int, subject: Subject) -> Profile:
        """In a process of its own, since tracing slows it down; always in a Session, which can trace op by op."""
        self._progress(f"tracing {subject.source.name}", 1.0)
        folder = self._options.tensorboard
        if folder is not None and len(self._subjects) > 1:
            folder = folder / f"{number + 1}_{subject.source.name}"
        batch = self._options.batches[0]
        with MeasuredProcess(subject, Via.SESSION, self._options) as process:
            process.feed(batch, self._feeds[batch])
            process.first_call(batch)
            process.prepare(batch)
            nodes = process.trace(batch, _TRACED_CALLS, os.path.abspath(folder) if folder is not None else "")
        return profile_of(nodes, _TRACED_CALLS)

    def _times(self, subject: Subject, found: _Gathered, files: FileSizes, profile: Profile | None) -> ModelTimes:
        return ModelTimes(
            model=subject.source,
            form=subject.form,
            via=self._via.value,
            signature=subject.signature,
            import_s=tuple(found.import_s),
            load_s=tuple(found.load_s),
            first_call_s=tuple(found.first_call_s),
            warm=tuple(_warm_calls(w, r) for w, r in found.warm.items()),
            memory=Memory(**found.memory),
            files=files,
            profile=profile,
        )

    def _ratios(self, k: int) -> list[Ratio]:
        """Of model k against the first: loading, the first call, and each workload."""
        first, other = self._gathered[0], self._gathered[k]
        ratios = [
            self._ratio(k, "load", None, _paired(first.load_s, other.load_s)),
            self._ratio(k, "first call", None, _paired(first.first_call_s, other.first_call_s)),
        ]
        for workload, turns in first.warm.items():
            quantile = deciding_quantile(workload)
            groups = [log_ratios(a, b, quantile) for a, b in zip(turns, other.warm[workload], strict=True)]
            ratios.append(self._ratio(k, "warm calls", workload, groups))
        return ratios

    def _ratio(self, k: int, phase: str, workload: Workload | None, groups: list[list[float]]) -> Ratio:
        confidence = _PHASE_CONFIDENCE if workload is None else _CALLS_CONFIDENCE
        interval = ratio_interval(groups, self._options.seed, confidence)
        effect = self._options.min_effect
        return Ratio(
            model=k,
            phase=phase,
            workload=workload,
            interval=interval,
            pairs=sum(map(len, groups)),
            repeats=len(groups),
            min_effect=effect,
            verdict=verdict(interval, effect),
        )


def _paired(first: list[float], other: list[float]) -> list[list[float]]:
    return [[math.log(b / a)] for a, b in zip(first, other, strict=True)]


def _warm_calls(workload: Workload, repeats: list[Recorded]) -> WarmCalls:
    samples = [[float(s) * 1000 for t in r.turns for s in t] for r in repeats]
    seconds = sum(r.seconds for r in repeats)
    due = sum(r.due_s for r in repeats)
    everything = [s for group in samples for s in group]
    kept, counts = thin(samples)
    return WarmCalls(
        workload=workload,
        latency=summarize(everything),
        seconds=seconds,
        calls_per_s=len(everything) / seconds,
        rows_per_s=len(everything) * workload.batch / seconds,
        samples_ms=kept,
        repeat_counts=counts,
        late_share=sum(r.late_s for r in repeats) / due if due else 0.0,
    )


def _queue_warnings(models: list[ModelTimes]) -> list[str]:
    return [
        f"{m.model} does not keep up with {w.workload.rate:g} calls a second: the queue grew, and latencies depend "
        "on how long was measured"
        for m in models
        for w in m.warm
        if w.late_share > _GROWING_QUEUE
    ]
