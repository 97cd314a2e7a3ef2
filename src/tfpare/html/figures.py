"""All that the charts and the graph of a page draw, and the tables beneath them show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfpare import catalogue
from tfpare.api_types import OptimizeReport
from tfpare.html import charts, intervals
from tfpare.html.contents import Contents
from tfpare.html.graphs import graph_data
from tfpare.measure.types import WarmCalls


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the parts that a page has; empty where it lacks one.

    Attributes:
        counts, bytes, times: nodes, bytes of weights and traced milliseconds by op.
        workloads: warm calls before and after, one pair a workload.
        metrics: of the evaluation, in its order.
        graphs: as `graph_data` makes them.
        explanations: what the steps do that this tfpare knows.
    """

    shown: Contents
    counts: list[charts.Pair] = field(default_factory=list[charts.Pair])
    bytes: list[charts.Pair] = field(default_factory=list[charts.Pair])
    times: list[charts.Pair] = field(default_factory=list[charts.Pair])
    workloads: list[list[WarmCalls]] = field(default_factory=list[list[WarmCalls]])
    metrics: list[intervals.MetricFigures] = field(default_factory=list[intervals.MetricFigures])
    graphs: dict[str, Any] = field(default_factory=dict[str, Any])
    explanations: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, shown: Contents) -> Figures:
        """Everything that can be drawn."""
        run = shown.run
        return cls(
            shown,
            counts=charts.op_counts(run) if run else [],
            bytes=charts.op_bytes(run) if run else [],
            times=charts.op_times(shown.traced) if shown.traced else [],
            workloads=charts.workloads(shown.times.models) if shown.times else [],
            metrics=intervals.metrics(shown.evaluation) if shown.evaluation else [],
            graphs=graph_data(run.records if run else []),
            explanations=_explanations(run) if run else {},
        )

    def data(self) -> dict[str, object]:
        """What the page's script reads."""
        evaluation, run = self.shown.evaluation, self.shown.run
        return {
            "counts": charts.bars(self.counts),
            "bytes": charts.bars(self.bytes),
            "times": charts.bars(self.times),
            "latencies": [charts.latencies(pair) for pair in self.workloads],
            "values": [one.value_chart for one in self.metrics],
            "differences": [one.difference_chart for one in self.metrics],
            "agreement": intervals.agreement_chart(evaluation.agreement) if evaluation else None,
            "layers": [charts.layer_points(one) for one in (run.layers if run else []) if one.layers],
            "graphs": self.graphs,
            "explanations": self.explanations,
        }


def _explanations(run: OptimizeReport) -> dict[str, str]:
    """First line of each step's documentation; none of steps that this tfpare does not know."""
    known = {e.name: e.summary for e in reversed(catalogue.entries())}
    return {s.name: known[s.name] for s in run.steps if s.name in known}
