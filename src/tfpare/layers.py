"""How far single nodes of two models are apart, where both have a node of the same name: by depth, first to last.

A name never comes to mean another value, so equal names are equal values but for rounding. Both models are frozen into
plain graphs for this, whose inner tensors a Session can fetch; a child process runs them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfpare.differences import difference
from tfpare.engine.placement import Placement
from tfpare.errors import TfpareError
from tfpare.execution import ModelRunner, RunRefused, Runtime
from tfpare.io import write
from tfpare.io.naming import name_outputs
from tfpare.io.read import ReadOptions, read
from tfpare.ir.graph import Graph, Node, functions_of
from tfpare.ir.model import Model, Signature, TensorInfo
from tfpare.ir.types import Array
from tfpare.pipeline import freeze_model
from tfpare.reference import is_random

_MOST_NODES = 600  # of one signature; a picture has no room for more
_MOST_WEIGHT_BYTES = 1_000_000_000  # each model is in memory about three times while it is frozen and loaded
_FETCHED_AT_ONCE = 32  # activations of large images take megabytes each
_TIME_S = 60.0
_NO_LAYERS = frozenset({"Const", "Placeholder", "PlaceholderWithDefault", "PlaceholderV2"})

Feeds = Mapping[str, Mapping[str, Array]]
"""Arrays by signature and input key."""


@dataclass(slots=True)
class LayerDifference:
    """One node that both models have.

    Attributes:
        depth: longest way from an input to it, in nodes of the original.
        max_rel: largest |a − b| over the output's largest magnitude; problem: what else is unlike (NaN, shape).
    """

    name: str
    op: str
    depth: int
    max_abs: float
    max_rel: float
    problem: str = ""


@dataclass(slots=True)
class LayerReport:
    """The nodes of one signature, by depth; `notes` say what could not be compared."""

    signature: str
    layers: list[LayerDifference] = field(default_factory=list[LayerDifference])
    shared: int = 0
    notes: list[str] = field(default_factory=list[str])


def layer_differences(
    before: Path, after: Path, options: ReadOptions, feeds: Feeds, runtime: Runtime = Runtime.STOCK
) -> list[LayerReport]:
    """Compares what the nodes of two models compute, for each signature that inputs are given for.

    Args:
        before: the original.
        after: what was made of it.
        options: how the original is read; the other is read with the same tags and signatures.
        feeds: inputs that the original accepts.
        runtime: of the child processes.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
            pair = [_Frozen(path, options, Path(scratch) / name) for path, name in ((before, "a"), (after, "b"))]
            reports = [_compare(pair[0], pair[1], name, fed, runtime) for name, fed in feeds.items()]
        # A signature that calls another one's function has no nodes of its own but the output.
        return (
            [r for r in reports if r.shared > 1]
            or [r for r in reports if r.shared]
            or [LayerReport("", notes=["no node has the same name in both models"])]
        )
    except TfpareError as error:
        return [LayerReport("", notes=[f"single nodes could not be compared: {error}"])]


class _Frozen:
    """A model as one graph without variables, and what has to be known of that graph."""

    def __init__(self, path: Path, options: ReadOptions, place: Path) -> None:
        wanted = ReadOptions(options.tags, options.signatures, options.input_names, options.output_names, frozen=True)
        models = read(path, wanted)
        if len(models) != 1:
            raise TfpareError("the model has several MetaGraphs; choose one with --tag_set")
        model = models[0]
        if sum(v.n_bytes for v in model.variables.values()) + _const_bytes(model) > _MOST_WEIGHT_BYTES:
            raise TfpareError(f"its weights are larger than {_MOST_WEIGHT_BYTES / 1e9:.0f} GB")
        freeze_model(model)
        name_outputs(model.graphs[0])  # as the writer does
        self.signatures = dict(model.signatures)
        self.nodes = {s.name: _layers(model.graphs[0], s) for s in model.signatures.values()}
        place.mkdir()
        self.path = write.write_staged(models, place, place / "frozen.pb")


def _const_bytes(model: Model) -> int:
    arrays = (n.out().constant for g in model.all_graphs() for n in g if n.op == "Const")
    return sum(a.nbytes for a in arrays if a is not None)


def _layers(graph: Graph, signature: Signature) -> dict[str, tuple[str, int]]:
    """Op and depth of the nodes with a float output that the signature's outputs need and a Session can fetch."""
    needed = _ancestors(graph, [graph.outputs[t].node for t in _tensors(signature) if t in graph.outputs])
    placement, depth = Placement(graph), dict[Node, int]()
    found: dict[str, tuple[str, int]] = {}
    for node in graph.topological():
        depth[node] = 1 + max((depth.get(v.node, 0) for v in node.inputs), default=-1)
        is_float = bool(node.dtypes) and node.dtypes[0].is_float and not node.dtypes[0].is_ref
        if node in needed and is_float and node.op not in _NO_LAYERS and not placement.is_conditional(node):
            found[node.name] = node.op, depth[node]
    return found


def _tensors(signature: Signature) -> Iterator[str]:
    for info in signature.outputs.values():
        yield from info.tensors


def _ancestors(graph: Graph, roots: Sequence[Node]) -> set[Node]:
    """What the roots need, without constants and what is computed from them, and without what chance decides."""
    seen, stack = set[Node](), list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(v.node for v in node.inputs)
    return (seen & _downstream(graph, _is_placeholder)) - _downstream(graph, _may_be_random)


def _downstream(graph: Graph, is_source: Callable[[Node], bool]) -> set[Node]:
    found = set[Node]()
    for node in graph.topological():
        if is_source(node) or any(v.node in found for v in node.inputs):
            found.add(node)
    return found


def _is_placeholder(node: Node) -> bool:
    return node.op.startswith("Placeholder")


def _may_be_random(node: Node) -> bool:
    """Random ops, and those that run functions with state: theirs may be."""
    return is_random(node.op) or (bool(functions_of(node)) and node.is_effectful)


def _compare(before: _Frozen, after: _Frozen, name: str, feeds: Mapping[str, Array], runtime: Runtime) -> LayerReport:
    report, of_before, of_after = LayerReport(name), before.nodes.get(name, {}), after.nodes.get(name, {})
    shared = sorted((n for n in of_before if n in of_after), key=lambda n: of_before[n][1])
    report.shared = len(shared)
    chosen = _evenly(shared, _MOST_NODES)
    if not chosen:  # for example, the signature now calls another one's function
        return report
    if len(chosen) < len(shared):
        report.notes.append(f"{len(chosen)} of {len(shared)} nodes, evenly chosen")
    deadline = time.monotonic() + _TIME_S
    with _runner(before, name, chosen, runtime) as first, _runner(after, name, chosen, runtime) as second:
        for part in _parts(chosen):
            if time.monotonic() > deadline:
                report.notes.append(f"stopped after {_TIME_S:.0f} s")
                break
            report.layers.extend(_differences(part, of_before, first, second, feeds, report))
    return report


def _differences(
    names: Sequence[str],
    known: Mapping[str, tuple[str, int]],
    first: ModelRunner,
    second: ModelRunner,
    feeds: Mapping[str, Array],
    report: LayerReport,
) -> Iterator[LayerDifference]:
    try:
        a, b = (runner.run(names[0], feeds) for runner in (first, second))
    except RunRefused as error:
        report.notes.append(str(error))
        return
    for name in names:
        found = difference(a[name], b[name], None)
        problem = "" if found.max_rel > 0 else found.problem  # a number says it already
        yield LayerDifference(name, *known[name], found.max_abs, found.max_rel, problem)


def _runner(model: _Frozen, signature: str, names: Sequence[str], runtime: Runtime) -> ModelRunner:
    """A child that answers a signature for each part of the nodes, named after the part's first node."""
    known = model.signatures[signature]
    parts: dict[str, Signature] = {}
    for part in _parts(names):
        outputs = {n: TensorInfo((f"{n}:0",), info.dtype, info.shape) for n in part for info in known.inputs.values()}
        parts[part[0]] = Signature(part[0], known.inputs, outputs)
    return ModelRunner(model.path, form="graphdef", signatures=parts, runtime=runtime)


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[k : k + _FETCHED_AT_ONCE] for k in range(0, len(names), _FETCHED_AT_ONCE)]


def _evenly(names: list[str], count: int) -> list[str]:
    if len(names) <= count:
        return names
    return [names[k * (len(names) - 1) // (count - 1)] for k in range(count)]
