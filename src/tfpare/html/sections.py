"""Which sections a page has, and the facts at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tfpare.evaluation.types import EvaluationReport
from tfpare.html.contents import Contents
from tfpare.html.figures import Figures
from tfpare.measure.types import Environment
from tfpare.tables import in_bytes, in_seconds, number


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `is_command`: to be copied."""

    name: str
    value: str
    is_command: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its template is `sections/NAME.html`."""

    name: str
    title: str


def sections(shown: Contents, figures: Figures) -> list[Section]:
    """Those that have something to show."""
    wanted = {
        "summary": True,
        "precision": shown.run is not None and shown.run.search is not None,
        "evaluation": shown.evaluation is not None,
        "latency": bool(figures.workloads),
        "ops": bool(figures.counts or figures.times),
        "steps": shown.run is not None,
        "answers": shown.run is not None or shown.verification is not None,
        "graph": bool(figures.graphs["pairs"] or figures.graphs["left_out"]),
        "run": True,
    }
    return [Section(name, name.capitalize()) for name, is_wanted in wanted.items() if is_wanted]


def facts(shown: Contents) -> Iterator[Fact]:
    """How the numbers were made; facts without a value are unknown."""
    run, comparison, times, evaluation = shown.run, shown.comparison, shown.times, shown.evaluation
    if run is not None:
        yield Fact("command", run.command, is_command=True)
    if times is not None:
        yield Fact("command" if run is None else "measurement again", times.command, is_command=True)
        yield Fact("inputs of the measurement", times.inputs)
    if evaluation is not None:
        yield Fact("evaluation again" if run or times else "command", evaluation.command, is_command=True)
        yield Fact("evaluated", _evaluated(evaluation))
    if run is not None:
        phases = [f"{name} {in_seconds(s)}" for name, s in run.seconds.items() if name != "total"]
        yield Fact("time", ", ".join([*phases, f"{in_seconds(run.seconds.get('total', 0.0))} in all"]))
        yield Fact("tfpare", run.version)
    elif comparison is not None:
        yield Fact("time", f"{in_seconds(comparison.seconds)} in all")
    if times is not None:
        yield from _environment(times.environment)


def _evaluated(report: EvaluationReport) -> str:
    batches = f"{number(report.samples)} samples in batches of {report.batch_size}"
    return f"{report.data}; {batches}, {report.engine}, {in_seconds(report.seconds)}"


def _environment(machine: Environment) -> Iterator[Fact]:
    quota = f", {machine.quota_cores:g} by quota" if machine.quota_cores else ""
    yield Fact("processor", f"{machine.cpu}, {machine.cores} of {machine.physical_cores} cores{quota}")
    yield Fact("instruction sets", ", ".join(machine.isa))
    yield Fact("memory", in_bytes(machine.memory_bytes))
    yield Fact("system", f"{machine.system}, Python {machine.python}")
    onednn = "" if machine.onednn is None else "oneDNN on" if machine.onednn else "oneDNN off"
    yield Fact("TensorFlow", ", ".join(part for part in (machine.tensorflow, machine.build, onednn) if part))
    intra, inter = (n or "automatic" for n in (machine.intra_threads, machine.inter_threads))
    yield Fact("threads", f"{intra} inside ops, {inter} between ops")
    yield Fact("clock governor", machine.governor)
    yield Fact("load", f"{machine.load:.2f}; other programs took {machine.others_share:.0%} of the processor time")
    for name, value in machine.variables.items():
        yield Fact(name, value)
