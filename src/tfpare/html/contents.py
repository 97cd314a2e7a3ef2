"""What a page is made of: one or several reports on the same two models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from tfpare.api_types import OptimizeReport
from tfpare.errors import UsageError
from tfpare.evaluation.types import EvaluationReport
from tfpare.measure.compare_types import CompareReport
from tfpare.measure.types import BenchmarkReport
from tfpare.proof import VerifyReport

Report: TypeAlias = OptimizeReport | CompareReport | EvaluationReport | BenchmarkReport
One = TypeVar("One", bound="OptimizeReport | CompareReport | EvaluationReport | BenchmarkReport")


@dataclass(frozen=True, slots=True)
class Contents:
    """At least one report, at most one of each kind.

    A part that two of them hold (a comparison has times, answers and an evaluation of its own) comes from the report
    that is about that part alone, then from the comparison, then from the run; but the run's proof is a run's answers.
    """

    run: OptimizeReport | None = None
    comparison: CompareReport | None = None
    measured: BenchmarkReport | None = None
    evaluated: EvaluationReport | None = None

    @classmethod
    def of(cls, *reports: Report) -> Contents:
        """The reports by kind.

        Raises:
            UsageError: two are of one kind, or times are not of two models.
        """
        made = cls(
            _only(OptimizeReport, reports),
            _only(CompareReport, reports),
            _only(BenchmarkReport, reports),
            _only(EvaluationReport, reports),
        )
        if made.times is not None and len(made.times.models) != 2:
            raise UsageError(f"The times are of {len(made.times.models)} models, a page compares two.")
        return made

    @property
    def reports(self) -> tuple[Report, ...]:
        """All of them, the one that the page is named after first."""
        return tuple(r for r in (self.run, self.comparison, self.evaluated, self.measured) if r is not None)

    @property
    def models(self) -> tuple[Path, Path | None]:
        """The original, and what took its place; None where a model was evaluated alone."""
        return _models(self.reports[0])

    @property
    def times(self) -> BenchmarkReport | None:
        """Latency, memory, size."""
        return next(self._all_times(), None)

    @property
    def traced(self) -> BenchmarkReport | None:
        """Times by op, where both models were traced."""
        return next((t for t in self._all_times() if len(t.models) == 2 and all(m.profile for m in t.models)), None)

    def _all_times(self) -> Iterator[BenchmarkReport]:
        known = (self.measured, self.comparison and self.comparison.benchmark, self.run and self.run.benchmark)
        return (t for t in known if t is not None)

    @property
    def evaluation(self) -> EvaluationReport | None:
        """Metrics and agreement on data."""
        return self.evaluated or (self.comparison.evaluation if self.comparison else None)

    @property
    def verification(self) -> VerifyReport | None:
        """Whether the answers are the same."""
        if self.run is not None:
            return self.run.verification
        return self.comparison.verification if self.comparison else None

    @property
    def notes(self) -> list[str]:
        """What every part has to remark, once."""
        parts = (self.run, self.comparison, self.times, self.evaluation, self.verification)
        return _once(note for part in parts if part is not None for note in part.notes)

    @property
    def warnings(self) -> list[str]:
        """Why a number may be weaker than it looks, or not belong to the others."""
        first, *others = self.reports
        found = [_other_models(first, other) for other in others]
        return _once([*filter(None, found), *(self.times.warnings if self.times else ())])


def _only(kind: type[One], reports: Iterable[Report]) -> One | None:
    found = [r for r in reports if isinstance(r, kind)]
    if len(found) > 1:
        raise UsageError(f"A page has one report of each kind, not {len(found)} of one: give fewer files.")
    return found[0] if found else None


def _models(report: Report) -> tuple[Path, Path | None]:
    if isinstance(report, OptimizeReport):
        return report.input, report.output
    if isinstance(report, CompareReport):
        return report.before, report.after
    if isinstance(report, BenchmarkReport):
        first, second = report.models
        return first.model, second.model
    return report.model, report.against


def _other_models(first: Report, other: Report) -> str:
    """Models may have moved since; other names make one wonder."""
    of_first, of_other = ([str(p.name) for p in _models(r) if p is not None] for r in (first, other))
    if all(a == b for a, b in zip(of_first, of_other, strict=False)):
        return ""
    kinds = {
        OptimizeReport: "run",
        CompareReport: "comparison",
        BenchmarkReport: "times",
        EvaluationReport: "evaluation",
    }
    names = [f"{kinds[type(r)]}: {' → '.join(n)}" for r, n in ((first, of_first), (other, of_other))]
    return f"these reports name other models; {names[0]}; {names[1]}"


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
