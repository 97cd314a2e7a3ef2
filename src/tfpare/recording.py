"""What a run did to the nodes of a model: its graphs before and after, and which step replaced or removed what.

Plain data for reports: names and short texts, no weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfpare.engine.driver import Commit
from tfpare.io.entries import entry_graph
from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import VARIABLE_OPS, Model, variable_key
from tfpare.ir.types import Array, Attr, Func, Raw

_ATTR_CHARS = 120  # a reader wants to recognise a value, not to read a vocabulary of 10,000 words
_SHOWN_ELEMENTS = 8


@dataclass(slots=True)
class NodeRecord:
    """One node.

    Attributes:
        inputs: `node`, `node:1`, `^node` for a control edge.
        outputs: dtype and shape of each output, such as `float32[?,10]`.
        made_by: the rule or pass that made it, empty where it came with the model.
        weight_bytes: of the constant or variable that it holds.
    """

    name: str
    op: str
    inputs: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])
    attrs: dict[str, str] = field(default_factory=dict[str, str])
    made_by: str = ""
    weight_bytes: int = 0


@dataclass(slots=True)
class GraphRecord:
    """A model's main graph, a signature's function, or the body of a loop or branch; `label` says which."""

    name: str
    label: str
    nodes: list[NodeRecord] = field(default_factory=list[NodeRecord])


@dataclass(slots=True)
class ModelRecord:
    """One MetaGraph of a model.

    Attributes:
        before: its graphs once their calls were inlined, so that nodes are comparable by name.
        after: its graphs at the end.
        commits: applied rules, in order.
        removed: graph → node → the pass that removed it; what rules removed is in `commits`.
    """

    tags: tuple[str, ...] = ()
    before: list[GraphRecord] = field(default_factory=list[GraphRecord])
    after: list[GraphRecord] = field(default_factory=list[GraphRecord])
    commits: list[Commit] = field(default_factory=list[Commit])
    removed: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])


class Recorder:
    """Watches a pipeline run over one model."""

    def __init__(self, model: Model) -> None:
        self.record = ModelRecord(model.tags)
        self._names: dict[str, set[str]] = {}

    def begin(self, model: Model) -> None:
        """Calls are inlined: from here on names are comparable."""
        self.record.before = graph_records(model)
        self._names = _names(model)

    def after_pass(self, name: str, model: Model) -> None:
        """A pass has changed something."""
        names = _names(model)
        for graph, before in self._names.items():
            gone = self.record.removed.setdefault(graph, {})
            for node in before - names.get(graph, set()):
                gone[node] = name
        self._names = names

    def after_rules(self, commits: Sequence[Commit], model: Model) -> None:
        """Rules have run."""
        self.record.commits.extend(commits)
        self._names = _names(model)

    def finish(self, model: Model) -> ModelRecord:
        """The record, complete; graphs that became one with another are left out."""
        self.record.after = graph_records(model)
        record, labels = self.record, {g.name: g.label for g in self.record.after}
        record.before = [g for g in record.before if g.name not in model.aliases]
        record.removed = {k: v for k, v in record.removed.items() if v and k not in model.aliases}
        for graph in record.before:
            graph.label = labels.get(graph.name, graph.label)
        return record


def split_reference(reference: str) -> tuple[str, int]:
    """The node and port that an input names: `node`, `node:1`; port −1 for a control edge, `^node`."""
    if reference.startswith("^"):
        return reference[1:], -1
    name, colon, port = reference.rpartition(":")
    return (name, int(port)) if colon and port.isdigit() else (reference, 0)


def _names(model: Model) -> dict[str, set[str]]:
    return {g.name: set(g.nodes) for g in model.all_graphs()}


def graph_records(model: Model) -> list[GraphRecord]:
    """The graphs that callers enter, then the bodies that they reach."""
    labels: dict[str, list[str]] = {}
    for signature in model.signatures.values():
        labels.setdefault(entry_graph(model, signature), []).append(signature.name)
    for alias in model.aliases.values():
        labels.setdefault(alias.primary, []).extend(labels.get(alias.name, []))
    entered = [GraphRecord(g.name, ", ".join(labels.get(g.name, [g.name])), _nodes(g, model)) for g in model.graphs]
    return entered + [GraphRecord(g.name, f"body {g.name}", _nodes(g, model)) for g in model.bodies()]


def _nodes(graph: Graph, model: Model) -> list[NodeRecord]:
    return [_node(n, model) for n in graph.topological()]


def _node(node: Node, model: Model) -> NodeRecord:
    inputs = [str(v) for v in node.inputs] + [f"^{c.name}" for c in node.controls]
    outputs = [f"{t}{node.out(k).shape}" for k, t in enumerate(node.dtypes)]
    attrs = {k: attr_text(v) for k, v in node.attrs.items() if not k.startswith("_")}
    if node.device:
        attrs["device"] = node.device
    return NodeRecord(node.name, node.op, inputs, outputs, attrs, node.made_by, _weight_bytes(node, model))


def _weight_bytes(node: Node, model: Model) -> int:
    if node.op in VARIABLE_OPS:
        variable = model.variables.get(variable_key(node))
        return variable.n_bytes if variable is not None else 0
    array = node.out().constant if node.op == "Const" else None
    return array.nbytes if array is not None else 0


def attr_text(value: Attr) -> str:
    """An attribute's value as a short text."""
    if isinstance(value, np.ndarray):
        return _shortened(_array_text(value))
    if isinstance(value, tuple):
        return _shortened(f"[{_joined(value)}]")
    if isinstance(value, Func):
        return _shortened(f"function {value.name}")
    if isinstance(value, Raw):
        return f"{len(value.data)} bytes"
    if isinstance(value, float):
        return f"{value:.9g}"
    return _shortened(str(value))


def _joined(values: Iterable[Attr]) -> str:
    items = list(values)
    more = ["…"] if len(items) > _SHOWN_ELEMENTS else []
    return ", ".join([attr_text(v) for v in items[:_SHOWN_ELEMENTS]] + more)


def _array_text(array: Array) -> str:
    shown = [_element(v) for v in array.reshape(-1)[:_SHOWN_ELEMENTS].tolist()]
    more = ", …" if array.size > _SHOWN_ELEMENTS else ""
    return f"{'×'.join(map(str, array.shape)) or 'scalar'}: {', '.join(shown)}{more}"


def _element(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _shortened(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # names may hold bytes that are no UTF-8
    return text if len(text) <= _ATTR_CHARS else text[:_ATTR_CHARS] + "…"
