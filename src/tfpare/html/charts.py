"""The numbers behind the charts. Each chart is drawn from the same rows that the table beneath it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpare.api_types import OptimizeReport
from tfpare.html.op_bytes import bytes_by_op
from tfpare.layers import LayerReport
from tfpare.measure.types import BenchmarkReport, ModelTimes, Profile, WarmCalls

_BARS = 14  # more do not fit on a telephone; the table has all
_BINS = 40
# A few calls may be any length: they would squeeze all others into one bar. The picture ends a little above the 95th
# percentile, and says how many calls are beyond it.
_CUT_QUANTILE, _MARGIN = 0.95, 1.15


@dataclass(frozen=True, slots=True)
class Pair:
    """One name with its value before and after."""

    name: str
    before: float
    after: float


def op_counts(report: OptimizeReport) -> list[Pair]:
    """Nodes by op, the most frequent first."""
    return _pairs(report.before.ops, report.after.ops)


def op_bytes(report: OptimizeReport) -> list[Pair]:
    """Bytes of weights by the op that reads them."""
    before = [g for r in report.records for g in r.before]
    after = [g for r in report.records for g in r.after]
    return _pairs(bytes_by_op(before), bytes_by_op(after))


def op_times(traced: BenchmarkReport) -> list[Pair]:
    """Traced milliseconds by op, of two models."""
    return _pairs(*(_times(m.profile) for m in traced.models if m.profile is not None))


def _times(profile: Profile) -> Counter[str]:
    total = Counter[str]()
    for one in profile.by_op:
        total[one.op] += one.ms  # type: ignore[assignment] - a Counter adds up any numbers
    return total


def _pairs(before: Mapping[str, float], after: Mapping[str, float]) -> list[Pair]:
    names = dict.fromkeys([*before, *after])
    pairs = [Pair(n, before.get(n, 0), after.get(n, 0)) for n in names]
    return sorted(pairs, key=lambda p: (-max(p.before, p.after), p.name))


def bars(pairs: Sequence[Pair]) -> dict[str, Any]:
    """A bar chart of the largest entries, the others together."""
    shown, rest = list(pairs[:_BARS]), pairs[_BARS:]
    if rest:
        shown.append(Pair(f"{len(rest)} others", sum(p.before for p in rest), sum(p.after for p in rest)))
    return {
        "names": [p.name for p in shown],
        "before": [p.before for p in shown],
        "after": [p.after for p in shown],
    }


def latencies(warm: Sequence[WarmCalls]) -> dict[str, Any]:
    """Histograms over the same bins: share of the calls by milliseconds."""
    samples = [np.asarray(w.samples_ms, np.float64) for w in warm]
    low = min(float(s.min()) for s in samples)
    high = max(float(np.quantile(s, _CUT_QUANTILE)) for s in samples) * _MARGIN
    edges = np.linspace(low, max(high, low * 1.01), _BINS + 1)
    shares = [np.histogram(s, edges)[0] / len(s) for s in samples]
    beyond = [int((s > edges[-1]).sum()) for s in samples]
    return {
        "middles": ((edges[1:] + edges[:-1]) / 2).tolist(),
        "shares": [s.tolist() for s in shares],
        "medians": [float(np.median(s)) for s in samples],
        "beyond": beyond,
    }


def workloads(models: Sequence[ModelTimes]) -> list[list[WarmCalls]]:
    """The warm calls of two models, workload by workload."""
    of_second = {w.workload: w for w in models[1].warm}
    pairs = [[w, of_second[w.workload]] for w in models[0].warm if w.workload in of_second]
    return [p for p in pairs if all(w.samples_ms for w in p)]


def layer_points(report: LayerReport) -> dict[str, Any]:
    """Depth and largest relative difference of each node."""
    return {
        "x": [one.depth for one in report.layers],
        "y": [one.max_rel for one in report.layers],
        "names": [one.name for one in report.layers],
        "ops": [one.op for one in report.layers],
    }
