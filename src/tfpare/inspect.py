"""`tfpare inspect`: what a model is, from its files alone. Nothing of it is loaded, built or run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tfpare import next_steps
from tfpare.findings import Finding, find_in_graph, find_in_keras
from tfpare.io import inspect as facts_io
from tfpare.io import inspect_keras
from tfpare.io.inspect import AssetFacts, GraphFacts, NodeFacts, VariableFacts
from tfpare.io.inspect_keras import LayerFacts
from tfpare.io.read import sniff
from tfpare.ir.model import Signature
from tfpare.ir.types import Shape
from tfpare.next_steps import NextStep
from tfpare.structure import execution_order, invalid_inputs, unread

FORMS = {
    "saved_model": "SavedModel",
    "hub_module": "TF 1 hub module",
    "graphdef": "GraphDef",
    "checkpoint": "checkpoint with meta graph",
    "keras": "Keras archive",
    "h5": "Keras HDF5 file",
}
"""What people call the forms of models."""


@dataclass(frozen=True, slots=True)
class OpCount:
    """How often an op occurs, and the bytes that its nodes hold (constants; variables where the nodes own them)."""

    op: str
    count: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An input node of the graph."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the graph, with the bytes of its value."""

    name: str
    dtype: str
    shape: Shape
    n_bytes: int


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node; `inputs` as they are written down, control edges with `^`."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Structure:
    """All nodes of a function in execution order; of the main graph, where `function` is empty."""

    function: str
    nodes: list[GraphNode]


@dataclass(frozen=True, slots=True)
class InvalidInput:
    """An input that names no node of its graph (of its function, where that is not empty)."""

    node: str
    input: str
    function: str = ""


@dataclass(slots=True)
class GraphReport:
    """One MetaGraph, or the graph of a bare GraphDef.

    Attributes:
        nodes: of the main graph; function_nodes: of all functions together.
        unread: nodes of the main graph that nobody reads and that are no Const, Assign, NoOp or Placeholder.
        structure: all nodes, where they were asked for.
        const_parameters, variable_parameters: numbers in constants and in variables.
        likely_inputs, likely_outputs: guesses, for graphs without signatures.
    """

    tags: tuple[str, ...]
    tensorflow: str
    signatures: dict[str, Signature]
    nodes: int
    functions: int
    function_nodes: int
    control_edges: int
    ops: list[OpCount]
    devices: dict[str, int]
    placeholders: list[Placeholder]
    variables: int
    const_parameters: int
    const_bytes: int
    variable_parameters: int
    variable_bytes: int
    checkpoint_tensors: int
    checkpoint_bytes: int
    assets: list[AssetFacts]
    likely_inputs: list[str]
    likely_outputs: list[str]
    findings: list[Finding]
    variable_list: list[Variable]
    unread: list[GraphNode]
    invalid_inputs: list[InvalidInput]
    structure: list[Structure]


@dataclass(slots=True)
class InspectReport:
    """What `tfpare inspect` knows.

    Attributes:
        form: `saved_model`, `hub_module`, `graphdef`, `checkpoint`, `keras` or `h5`.
        file_bytes: of all files of the model; files: by relative path.
        graphs: empty for Keras files, which have `layers` instead.
        next_steps: command lines that go on from here.
    """

    path: Path
    form: str
    file_bytes: int
    files: dict[str, int]
    graphs: list[GraphReport] = field(default_factory=list[GraphReport])
    keras_version: str = ""
    model_class: str = ""
    layers: list[LayerFacts] = field(default_factory=list[LayerFacts])
    weight_bytes: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    next_steps: list[NextStep] = field(default_factory=list[NextStep])

    @property
    def invalid_inputs(self) -> list[InvalidInput]:
        """Inputs that name no node, in any graph: no TensorFlow loads such a model."""
        return [i for g in self.graphs for i in g.invalid_inputs]


def inspect_model(
    model: str | os.PathLike[str], tags: tuple[str, ...] | None = None, structure: bool = False
) -> InspectReport:
    """Reads what there is to know of a model without loading it.

    Args:
        model: its path.
        tags: the MetaGraph to read, all of them by default.
        structure: list every node, too.

    Raises:
        UnsupportedModel: no model, or damaged.
        UsageError: it has no MetaGraph with these tags.
    """
    path = Path(os.path.expanduser(model))
    form = sniff(path)
    if form == "checkpoint" and path.suffix == ".meta":
        path = path.with_suffix("")
    files = _files(path, form)
    report = InspectReport(path, form, sum(files.values()), files)
    if form == "saved_model":
        report.form = "hub_module" if (path / "tfhub_module.pb").is_file() else form
        report.graphs = [_graph(f, structure) for f in facts_io.read_saved_model(path, tags)]
    elif form == "checkpoint":
        report.graphs = [_graph(facts_io.read_checkpoint(path), structure)]
    elif form == "graphdef":
        report.graphs = [_graph(facts_io.read_graphdef(path), structure)]
    else:
        _add_keras(report)
    report.next_steps = _next_steps(report)
    return report


def _next_steps(report: InspectReport) -> list[NextStep]:
    if report.invalid_inputs:
        return []
    if report.form not in ("graphdef", "checkpoint"):
        return next_steps.of_model(report.path)
    (graph,) = report.graphs
    return next_steps.of_bare_graph(report.path, report.form, graph.likely_inputs, graph.likely_outputs)


def _add_keras(report: InspectReport) -> None:
    facts = inspect_keras.read_keras(report.path)
    report.form = report.path.suffix.removeprefix(".").replace("hdf5", "h5")
    report.keras_version, report.model_class = facts.keras_version, facts.model_class
    report.layers, report.weight_bytes = facts.layers, facts.weight_bytes
    report.findings = find_in_keras(facts)


def _files(path: Path, form: str) -> dict[str, int]:
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if p.is_file()]
        return {p.relative_to(path).as_posix(): p.stat().st_size for p in found}
    if form == "checkpoint":
        found = [p for p in sorted(path.parent.glob(f"{path.name}.*")) if p.is_file()]
        return {p.name: p.stat().st_size for p in found}
    return {path.name: path.stat().st_size}


def _graph(facts: GraphFacts, structure: bool) -> GraphReport:
    everything = [*facts.nodes, *(n for body in facts.functions.values() for n in body)]
    stored = [v for v in facts.stored if v.dtype != "string"]
    sizes = {v.name: v for v in stored}
    variables = [_sized(v, sizes) for v in facts.variables]
    invalid = list(_invalid_inputs(facts))
    return GraphReport(
        tags=facts.tags,
        tensorflow=facts.tensorflow,
        signatures=facts.signatures,
        nodes=len(facts.nodes),
        functions=len(facts.functions),
        function_nodes=len(everything) - len(facts.nodes),
        control_edges=sum(i.startswith("^") for n in everything for i in n.inputs),
        ops=_ops(everything, {} if facts.functions else {v.name: v.n_bytes for v in variables}),
        devices=dict(Counter(n.device or "(unset)" for n in everything).most_common()),
        placeholders=[Placeholder(n.name, n.dtype, n.shape) for n in facts.nodes if n.op.startswith("Placeholder")],
        variables=len(variables),
        const_parameters=sum(n.elements for n in everything),
        const_bytes=sum(n.n_bytes for n in everything),
        variable_parameters=sum(v.shape.size or 0 for v in variables),
        variable_bytes=sum(v.n_bytes for v in variables),
        checkpoint_tensors=len(stored),
        checkpoint_bytes=sum(v.n_bytes for v in stored),
        assets=facts.assets,
        likely_inputs=facts.inputs,
        likely_outputs=facts.outputs,
        findings=[*_damage(invalid), *find_in_graph(facts)],
        variable_list=[Variable(v.name, v.dtype, v.shape, v.n_bytes) for v in variables],
        unread=[GraphNode(n.name, n.op, n.inputs) for n in unread(facts.nodes)],
        invalid_inputs=invalid,
        structure=list(_structure(facts)) if structure else [],
    )


def _bodies(facts: GraphFacts) -> Iterable[tuple[str, list[NodeFacts]]]:
    return [("", facts.nodes), *facts.functions.items()]


def _invalid_inputs(facts: GraphFacts) -> Iterable[InvalidInput]:
    for name, nodes in _bodies(facts):
        for node, ref in invalid_inputs(nodes, facts.arguments.get(name, ())):
            yield InvalidInput(node.name, ref, name)


def _damage(invalid: list[InvalidInput]) -> Iterable[Finding]:
    if invalid:
        yield Finding("damaged", "inputs that name no node", len(invalid), f"{invalid[0].input} of {invalid[0].node}")


def _structure(facts: GraphFacts) -> Iterable[Structure]:
    for name, nodes in _bodies(facts):
        yield Structure(name, [GraphNode(n.name, n.op, n.inputs) for n in execution_order(nodes)])


def _sized(variable: VariableFacts, stored: dict[str, VariableFacts]) -> VariableFacts:
    """The variable with the shape and bytes of its checkpoint entry, or those that dtype and shape give."""
    known = stored.get(variable.name)
    if known is not None and known.dtype == variable.dtype:
        return known
    item = {"bool": 1, "half": 2, "bfloat16": 2}.get(variable.dtype) or _bits(variable.dtype) // 8
    variable.n_bytes = (variable.shape.size or 0) * item
    return variable


def _bits(dtype: str) -> int:
    digits = "".join(c for c in dtype if c.isdigit())
    return int(digits) if digits else 0


def _ops(nodes: Iterable[NodeFacts], variable_bytes: dict[str, int]) -> list[OpCount]:
    counts, sizes = Counter[str](), Counter[str]()
    for node in nodes:
        counts[node.op] += 1
        sizes[node.op] += node.n_bytes
        if node.op in ("Variable", "VariableV2", "VarHandleOp"):
            sizes[node.op] += variable_bytes.get(node.name, 0)
    ops = [OpCount(op, count, sizes[op]) for op, count in counts.items()]
    return sorted(ops, key=lambda o: (-o.count, o.op))
