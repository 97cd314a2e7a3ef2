"""The terminal report of `tfpare inspect`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tfpare.findings import Finding
from tfpare.inspect import FORMS, GraphReport, InspectReport, Structure, Variable
from tfpare.ir.model import Signature, TensorInfo
from tfpare.tables import facts, in_bytes, number, spaced, table

_MAX_UNREAD = 8


def render(report: InspectReport, max_ops: int = 12) -> Group:
    """The whole report; `max_ops` rows in the tables of ops and variables."""
    parts: list[RenderableType] = [facts(_head(report))]
    if report.layers:
        parts.append(spaced(_layers(report)))
    if report.findings:
        parts.append(spaced(_findings(report.findings)))
    for graph in report.graphs:
        parts.extend(spaced(t) for t in _graph(graph, max_ops))
    if report.next_steps:
        parts.append(spaced(Text("Next", "bold")))
        # Not broken by the terminal's width, so that it can be copied.
        parts.extend(Text(" \\\n    ".join(step.lines), no_wrap=True, overflow="ignore") for step in report.next_steps)
    return Group(*parts)


def _head(report: InspectReport) -> Iterable[tuple[str, str]]:
    yield "model", str(report.path)
    yield "form", FORMS[report.form]
    count = len(report.files)
    yield "size", f"{in_bytes(report.file_bytes)} in {count} file{'s' if count > 1 else ''}"
    if report.keras_version or report.layers:
        yield "Keras", f"{report.keras_version or '?'}, {report.model_class or 'unknown model class'}"
        yield "weights", in_bytes(report.weight_bytes)


def _layers(report: InspectReport) -> Table:
    rows = ([x.name, x.class_name, x.dtype, x.module] for x in report.layers)
    return table(f"{len(report.layers)} layers", ["name", "class", "dtype", "module"], rows)


def _graph(graph: GraphReport, max_ops: int) -> Iterable[RenderableType]:
    yield facts(_graph_head(graph))
    for signature in graph.signatures.values():
        yield _signature(signature)
    if graph.likely_inputs or graph.likely_outputs:
        yield facts(
            [("likely inputs", ", ".join(graph.likely_inputs)), ("likely outputs", ", ".join(graph.likely_outputs))]
        )
    if {p.name for p in graph.placeholders} - _signature_nodes(graph):
        rows = ([p.name, p.dtype, str(p.shape)] for p in graph.placeholders)
        yield table("Placeholders", ["name", "dtype", "shape"], rows)
    if graph.variable_list and max_ops:
        yield _variables(graph.variable_list, max_ops)
    yield _ops(graph, max_ops)
    if graph.findings:
        yield _findings(graph.findings)
    for structure in graph.structure:
        yield _structure(structure)


def _structure(structure: Structure) -> Text:
    title = f"Nodes of {structure.function}" if structure.function else "Nodes"
    lines = (f"\n{n.name} = {n.op}({', '.join(n.inputs)})" for n in structure.nodes)
    return Text.assemble((f"{title}, in execution order", "bold"), *lines, overflow="fold")


def _signature_nodes(graph: GraphReport) -> set[str]:
    infos = (i for s in graph.signatures.values() for i in s.inputs.values())
    return {t.partition(":")[0] for i in infos for t in i.tensors}


def _variables(variables: list[Variable], max_rows: int) -> Table:
    rows = [[v.name, v.dtype, str(v.shape), in_bytes(v.n_bytes)] for v in variables[:max_rows]]
    if len(variables) > max_rows:
        rest = variables[max_rows:]
        rows.append([f"{len(rest)} more variables", "", "", in_bytes(sum(v.n_bytes for v in rest))])
    return table("Variables", ["name", "dtype", "shape", ">bytes"], rows)


def _graph_head(graph: GraphReport) -> Iterable[tuple[str, str]]:
    if graph.signatures or graph.tags:
        yield "tags", ",".join(graph.tags) or "(empty)"
    if graph.tensorflow:
        yield "written by", f"TensorFlow {graph.tensorflow}"
    in_functions = f" + {number(graph.function_nodes)} in {graph.functions} functions" if graph.functions else ""
    yield "nodes", f"{number(graph.nodes)}{in_functions}; {number(graph.control_edges)} control edges"
    yield "constants", f"{number(graph.const_parameters)} parameters, {in_bytes(graph.const_bytes)}"
    if graph.variables:
        size = f"{number(graph.variable_parameters)} parameters, {in_bytes(graph.variable_bytes)}"
        yield "variables", f"{graph.variables}: {size}"
    if graph.checkpoint_tensors:
        yield "checkpoint", f"{graph.checkpoint_tensors} tensors, {in_bytes(graph.checkpoint_bytes)}"
    if graph.assets:
        yield "assets", ", ".join(f"{a.name} ({in_bytes(a.n_bytes)})" for a in graph.assets)
    unread = [n.name for n in graph.unread]
    if unread and {n.partition(":")[0] for n in graph.likely_outputs} != set(unread):
        rest = f", … and {number(len(unread) - _MAX_UNREAD)} more" if len(unread) > _MAX_UNREAD else ""
        yield "unread nodes", f"{number(len(unread))}: {', '.join(unread[:_MAX_UNREAD])}{rest}"
    if set(graph.devices) - {"(unset)"}:
        yield "devices", ", ".join(f"{d}: {n}" for d, n in graph.devices.items())


def _signature(signature: Signature) -> Table:
    rows = [_tensor("in", k, i) for k, i in signature.inputs.items()]
    rows += [_tensor("out", k, i) for k, i in signature.outputs.items()]
    columns = ["", "key", "dtype", "shape", "tensor"]
    return table(f"Signature {signature.name!r}", columns, rows, f"method {signature.method or '(none)'}")


def _tensor(direction: str, key: str, info: TensorInfo) -> list[str]:
    return [direction, key, str(info.dtype), str(info.shape), ", ".join(info.tensors)]


def _ops(graph: GraphReport, max_ops: int) -> Table:
    shown = graph.ops[:max_ops]
    rows = [[o.op, number(o.count), in_bytes(o.n_bytes) if o.n_bytes else ""] for o in shown]
    rest = graph.ops[max_ops:]
    if rest:
        held = sum(o.n_bytes for o in rest)
        rows.append([f"{len(rest)} more ops", number(sum(o.count for o in rest)), in_bytes(held) if held else ""])
    return table("Ops", ["op", ">nodes", ">bytes"], rows)


def _findings(findings: list[Finding]) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_column(justify="right", style="yellow", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("[bold default]Warnings[/]", "")
    for one in findings:
        size = f" ({in_bytes(one.n_bytes)})" if one.n_bytes else ""
        example = one.example.replace("/.ATTRIBUTES/VARIABLE_VALUE", "")
        shown = f"  [dim]{escape(example)}[/dim]" if example else ""
        made.add_row(number(one.count), f"{escape(one.message)}{size}{shown}")
    return made
