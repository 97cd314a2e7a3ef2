"""The terminal report of `tfpare inspect`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from tfpare.findings import Finding
from tfpare.inspect import FORMS, GraphReport, InspectReport
from tfpare.ir.model import Signature, TensorInfo
from tfpare.tables import facts, in_bytes, number, spaced, table


def render(report: InspectReport, max_ops: int = 12) -> Group:
    """The whole report; `max_ops` rows in the table of ops."""
    parts: list[RenderableType] = [facts(_head(report))]
    if report.layers:
        parts.append(spaced(_layers(report)))
    if report.findings:
        parts.append(spaced(_findings(report.findings)))
    for graph in report.graphs:
        parts.extend(spaced(t) for t in _graph(graph, max_ops))
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


def _graph(graph: GraphReport, max_ops: int) -> Iterable[Table]:
    yield facts(_graph_head(graph))
    for signature in graph.signatures.values():
        yield _signature(signature)
    if graph.likely_inputs or graph.likely_outputs:
        yield facts(
            [("likely inputs", ", ".join(graph.likely_inputs)), ("likely outputs", ", ".join(graph.likely_outputs))]
        )
    if graph.placeholders and not graph.signatures:
        rows = ([p.name, p.dtype, str(p.shape)] for p in graph.placeholders)
        yield table("Placeholders", ["name", "dtype", "shape"], rows)
    yield _ops(graph, max_ops)
    if graph.findings:
        yield _findings(graph.findings)


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
