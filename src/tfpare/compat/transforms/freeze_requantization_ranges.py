"""Ranges that are measured at every call → constants from a log of sample calls."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfpare.compat.eightbit.emit import Emitter
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel, UsageError
from tfpare.ir.graph import Graph, Node, Value

_PRINTED = "__print__"
_RECORD = re.compile(r";([^;]+)" + _PRINTED + r";__requant_min_max:\[([^\[\]]+)\]\[([^\[\]]+)\]\s*$")


class Record(NamedTuple):
    """What one call logged of one RequantizationRange."""

    node: str
    low: float
    high: float


@transform(effect=Effect.LOSSY)
def freeze_requantization_ranges(
    work: Work, *, min_max_log_file: str, min_percentile: float = 5.0, max_percentile: float = 5.0
) -> None:
    """Replaces each RequantizationRange that a log names by two constants: n/frozen_min and n/frozen_max.

    The log is what Print nodes of `insert_logging(op=RequantizationRange, show_name=true,
    message="__requant_min_max:")` wrote; other lines are skipped. Of the values of one node, the lowest
    `min_percentile` and the highest `max_percentile` percent are left out as outliers. A relative path is read in the
    working directory.

    Differs: as many of the highest as of the lowest values are left out (the original leaves out one less); a
    percentile outside 0 … 100 is refused, and so are percentiles that leave nothing; the range contains 0, as the
    kernel demands; a range that callers fetch stays beside its constants; constants live in the loop of what they
    replace; RequantizationRange nodes of functions are found too.
    Source: the Graph Transform Tool's freeze_requantization_ranges.
    """
    for name, value in (("min_percentile", min_percentile), ("max_percentile", max_percentile)):
        if not 0 <= value < 100:
            raise UsageError(f"{name}={value:g} is not a percentage from 0 to less than 100.")
    records = _read(Path(min_max_log_file))
    graphs = list(work.model().all_graphs())
    emitters = {id(g): Emitter(g, "freeze_requantization_ranges") for g in graphs}
    for name in dict.fromkeys(r.node for r in records):
        low = _percentile([r.low for r in records if r.node == name], min_percentile)
        high = -_percentile([-r.high for r in records if r.node == name], max_percentile)
        low = min(low, 0.0)
        if low >= high:
            raise UsageError(f"The log leaves {name!r} the range [{low:g}, {high:g}]: lower the percentiles.")
        graph = _graph_of(graphs, name)
        _freeze(graph, emitters[id(graph)], graph.nodes[name], low, high)


def read_records(lines: list[str]) -> list[Record]:
    """The ranges among the lines of a log."""
    found: list[Record] = []
    for match in filter(None, map(_RECORD.search, lines)):
        try:
            record = Record(match[1], float(match[2]), float(match[3]))
        except ValueError:
            continue
        if math.isfinite(record.low) and math.isfinite(record.high):
            found.append(record)
    return found


def _read(path: Path) -> list[Record]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"min_max_log_file {path} cannot be read: {error.strerror}.") from error
    records = read_records(lines)
    if not records:
        raise UsageError(f"{path} holds no line with '{_PRINTED};__requant_min_max:[low][high]'.")
    return records


def _percentile(values: list[float], percent: float) -> float:
    """The lowest value when so many percent of the lowest are left out; one is always kept."""
    return sorted(values)[min(len(values) - 1, math.floor(len(values) * percent / 100 + 0.5))]


def _graph_of(graphs: list[Graph], name: str) -> Graph:
    """The graph that has the node; the main graph is asked first."""
    holders = [g for g in reversed(graphs) if name in g.nodes]
    if not holders:
        raise UnsupportedModel(f"The log names the node {name!r}, which the graph does not have.")
    if holders[0].nodes[name].op != "RequantizationRange":
        raise UnsupportedModel(
            f"The log names {name!r} as a RequantizationRange, but it is a {holders[0].nodes[name].op}."
        )
    return holders[0]


def _freeze(graph: Graph, emitter: Emitter, node: Node, low: float, high: float) -> None:
    frozen = {
        node.out(port): emitter.const(node, np.array(number, np.float32), f"{node.name}/frozen_{end}", node.inputs[0])
        for port, (end, number) in enumerate((("min", low), ("max", high)))
    }
    for reader in list(node.readers):
        graph.set_inputs(reader, (_frozen(frozen, v) for v in reader.inputs))
    for const in frozen.values():
        graph.set_controls(const.node, [*const.node.controls, *node.controls])
    if node not in graph.output_nodes() | {v.node for v in graph.fed} | graph.pinned:
        graph.replace_control(node, [v.node for v in frozen.values()])
        graph.remove(node)


def _frozen(frozen: dict[Value, Value], value: Value) -> Value:
    return frozen.get(value, value)
