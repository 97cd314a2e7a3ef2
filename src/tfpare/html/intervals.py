"""The numbers behind the charts of an evaluation: values with their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfpare.evaluation.types import AgreementReport, EvaluationReport, Interval, MetricResult, PairedTest


@dataclass(slots=True)
class _Rows:
    """The lines of one chart."""

    names: list[str] = field(default_factory=list[str])
    values: list[float] = field(default_factory=list[float])
    spans: list[tuple[float, float] | None] = field(default_factory=list["tuple[float, float] | None"])

    def add(self, name: str, value: float, interval: Interval | None) -> None:
        """A value with its interval, which is not drawn where it is unknown or endless."""
        ends = (math.inf, math.inf) if interval is None else (interval.low, interval.high)
        self.names.append(name)
        self.values.append(value)
        self.spans.append(ends if all(map(math.isfinite, ends)) else None)

    def data(self, axis: str, zero: bool = False) -> dict[str, Any] | None:
        """What the chart takes; None where there is nothing to draw."""
        if not self.names or not all(map(math.isfinite, self.values)):
            return None
        return {"names": self.names, "values": self.values, "spans": self.spans, "axis": axis, "zero": zero}


@dataclass(frozen=True, slots=True)
class MetricFigures:
    """One metric: of each model, and the difference on the same samples."""

    name: str
    results: list[MetricResult]
    test: PairedTest | None

    @property
    def value_chart(self) -> dict[str, Any] | None:
        """Each model's value with its interval; None where one is NaN."""
        rows = _Rows()
        sides = ["before", "after"] if len(self.results) == 2 else ["model"]
        for name, result in zip(sides, self.results, strict=True):
            rows.add(name, result.value, result.interval)
        return rows.data(self.name)

    @property
    def difference_chart(self) -> dict[str, Any] | None:
        """After − before with its interval, and where zero is; None without a second model, or where it is NaN."""
        rows = _Rows()
        if self.test is not None:
            rows.add("after − before", self.test.difference, self.test.interval)
        return rows.data(f"difference of {self.name}", zero=True)


def metrics(report: EvaluationReport) -> list[MetricFigures]:
    """Every metric with the results that belong to it."""
    tests = {t.metric: t for t in report.paired}
    names = dict.fromkeys(r.metric for r in report.results)
    return [MetricFigures(n, [r for r in report.results if r.metric == n], tests.get(n)) for n in names]


def agreement_chart(agreement: Sequence[AgreementReport]) -> dict[str, Any] | None:
    """Share of samples with the same top class, output by output; None where no output has classes."""
    rows = _Rows()
    for one in agreement:
        if one.top1 is not None:
            rows.add(one.output, one.top1, one.interval)
    return rows.data("share of samples with the same top class")
