"""`tfpare diff`: two models from their files alone. Nothing of them is loaded, built or run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tfpare.diffing.entries import diff_entries, diff_fields, diff_tensors, signature_facts
from tfpare.diffing.functions import all_nodes, diff_functions
from tfpare.diffing.graphs import diff_graphs
from tfpare.diffing.nodes import is_known
from tfpare.diffing.types import DiffOptions, DiffReport, MetaGraphDiff, OpDiff, SectionDiff
from tfpare.errors import TfpareError, UnsupportedModel, UsageError
from tfpare.inspect import FORMS
from tfpare.io import contents
from tfpare.io.contents import GraphContents, GraphNode
from tfpare.io.contents_keras import read_keras
from tfpare.io.read import sniff
from tfpare.ir.model import VARIABLE_OPS

_Path = str | os.PathLike[str]
_KERAS = frozenset(("keras", "h5"))


def _ignore_progress(step: str) -> None:
    del step


def diff(
    a: _Path, b: _Path, options: DiffOptions | None = None, progress: Callable[[str], None] = _ignore_progress
) -> DiffReport:
    """The difference of two models or graphs of any form.

    Node order, the encoding of constants and `a` or `a:0` make no difference, nor does an attribute that is left out or
    written with its op's default.

    Raises:
        UnsupportedModel: one of them is no model, or damaged.
        UsageError: they cannot be compared, or the options do not fit them.
    """
    options = options or DiffOptions()
    path_a, path_b = Path(os.path.expanduser(a)), Path(os.path.expanduser(b))
    form_a, form_b = _form(path_a), _form(path_b)
    if form_a != form_b and {form_a, form_b} & _KERAS:
        raise UsageError(
            f"{path_a} is a {FORMS[form_a]}, {path_b} a {FORMS[form_b]}: a Keras file can only be compared with one of "
            "its kind. Export both first, for example with tfpare optimize, and compare what that writes."
        )
    progress("read")
    graphs_a, graphs_b = _read(path_a, form_a, options), _read(path_b, form_b, options)
    progress("compare")
    report = DiffReport(path_a, path_b, form_a, form_b)
    for one, other in _pairs(graphs_a, graphs_b, report):
        report.graphs.append(_diff(one, other, form_a == form_b, options, report.notes))
    report.verdict = _verdict(report, options)
    return report


def _form(path: Path) -> str:
    form = sniff(path)
    return "h5" if form == "keras" and path.suffix != ".keras" else form


def _read(path: Path, form: str, options: DiffOptions) -> list[GraphContents]:
    try:
        if form == "saved_model":
            return contents.read_saved_model(path, options.tags)
        if form == "checkpoint":
            return [contents.read_checkpoint(path.with_suffix("") if path.suffix == ".meta" else path)]
        return [read_keras(path) if form in _KERAS else contents.read_graphdef(path)]
    except TfpareError:
        raise
    except Exception as error:  # protos can be inconsistent in more ways than anyone lists
        what = f"{type(error).__name__}: {error}"
        raise UnsupportedModel(f"{path} cannot be read ({what}). It seems to be damaged.") from error


def _pairs(
    a: list[GraphContents], b: list[GraphContents], report: DiffReport
) -> list[tuple[GraphContents, GraphContents]]:
    """MetaGraphs with the same tags; two that are alone are a pair, whatever their tags."""
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    if report.form_a != report.form_b:
        many = report.a if len(a) > 1 else report.b
        shown = "; ".join(_tags(g) for g in (a if len(a) > 1 else b))
        raise UsageError(f"{many} has several MetaGraphs. Choose one with --tag_set: {shown}.")
    by_tags, known = {g.tags: g for g in b}, {g.tags for g in a}
    if len(known) < len(a) or len(by_tags) < len(b):
        path = report.a if len(known) < len(a) else report.b
        raise UnsupportedModel(f"{path} has two MetaGraphs with the same tags. The file is damaged.")
    report.only_in_a = [_tags(g) for g in a if g.tags not in by_tags]
    report.only_in_b = [_tags(g) for g in b if g.tags not in known]
    return [(g, by_tags[g.tags]) for g in a if g.tags in by_tags]


def _tags(graph: GraphContents) -> str:
    return ",".join(graph.tags) or "(empty)"


def _diff(a: GraphContents, b: GraphContents, same_form: bool, options: DiffOptions, notes: list[str]) -> MetaGraphDiff:
    functions, renamed = diff_functions(a.functions, b.functions, options.internal_attrs)
    sections = {"variables": _variables(a, b, same_form)}
    if same_form:
        sections["signatures"] = diff_entries(signature_facts(a.signatures), signature_facts(b.signatures))
        sections["assets"] = diff_entries(a.assets, b.assets)
        sections["objects"] = diff_entries(_with_new_names(a.objects, renamed), b.objects)
        sections["other parts"] = diff_entries(a.parts, b.parts)
    else:
        _note(notes, "the forms differ: only graphs and functions are compared, and variables where both have them")
    counts_a = Counter(n.op for n in all_nodes(a.nodes, a.functions))
    counts_b = Counter(n.op for n in all_nodes(b.nodes, b.functions))
    _note_unknown_ops(a, b, notes)
    if a.variables is None and b.variables is None and any(n.op in VARIABLE_OPS for n in a.nodes.values()):
        _note(notes, "neither has a checkpoint: the values of variables are unknown")
    return MetaGraphDiff(
        tags_a=a.tags if same_form else (),
        tags_b=b.tags if same_form else (),
        nodes_a=counts_a.total(),
        nodes_b=counts_b.total(),
        ops=_ops(counts_a, counts_b),
        graph=diff_graphs(a.nodes, b.nodes, renamed, options.internal_attrs),
        functions=functions,
        sections={name: section for name, section in sections.items() if not section.is_equal},
        versions=diff_fields(a.versions, b.versions) if same_form else [],
    )


def _variables(a: GraphContents, b: GraphContents, same_form: bool) -> SectionDiff:
    if not same_form and (a.variables is None or b.variables is None):
        return SectionDiff()
    return diff_tensors(a.variables or {}, b.variables or {})


def _with_new_names(objects: Mapping[str, dict[str, str]], renamed: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The facts of A with B's names of functions: what they are called is not the object's difference."""

    def translated(functions: str) -> str:
        return ", ".join(sorted(renamed.get(n, n) for n in functions.split(", ")))

    return {
        path: {**facts, "functions": translated(facts["functions"])} if "functions" in facts else facts
        for path, facts in objects.items()
    }


def _ops(a: Mapping[str, int], b: Mapping[str, int]) -> list[OpDiff]:
    ops = [OpDiff(op, a.get(op, 0), b.get(op, 0)) for op in {*a, *b} if a.get(op, 0) != b.get(op, 0)]
    return sorted(ops, key=lambda o: (-abs(o.b - o.a), o.op))


def _note_unknown_ops(a: GraphContents, b: GraphContents, notes: list[str]) -> None:
    used = {n.op for g in (a, b) for n in all_nodes(g.nodes, g.functions) if isinstance(n, GraphNode)}
    unknown = sorted(op for op in used - {*a.functions, *b.functions} if not is_known(op))
    if unknown:
        ops = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        _note(notes, f"ops that this TensorFlow does not know, so that no defaults are known: {ops}")


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)


def _verdict(report: DiffReport, options: DiffOptions) -> str:
    versions = options.versions and any(g.versions for g in report.graphs)
    if report.only_in_a or report.only_in_b or versions:
        return "different"
    if all(g.is_equal for g in report.graphs):
        return "equal"
    return "renamed" if all(g.is_renaming for g in report.graphs) else "different"
