"""A run as one HTML file: everything is in it, and its content security policy lets it fetch nothing.

Names from models are untrusted text. They reach the page in two ways only: through Jinja2, which escapes them, and as
JSON in a script element that no browser executes; the page's own script puts them into the document as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from tfpare import catalogue
from tfpare.api_types import OptimizeReport
from tfpare.html import charts
from tfpare.html.graphs import graph_data
from tfpare.html.summary import Fact, summary, tiles
from tfpare.measure.words import workload_words
from tfpare.report import verdict
from tfpare.tables import in_bytes, in_seconds, number, share
from tfpare.to_json import to_json

_SCRIPTS = ("start.js", "charts.js", "scopes.js", "layout.js", "graph.js", "details.js", "main.js")
# What could end the script element or a line of JavaScript.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(report: OptimizeReport) -> str:
    """The page of one run."""
    scripts, graphs = [_vendored(), _own_script()], graph_data(report.records)
    return _template().render(
        report=report,
        policy=_policy(scripts),
        style=Markup(_asset("static/page.css")),
        scripts=[Markup(s) for s in scripts],
        data=_embedded(_data(report, graphs)),
        graphs=graphs,
        tiles=tiles(report),
        summary=summary(report),
        answers=verdict(report.verification) if report.verification else "not compared (--no-verify)",
        steps=sorted(report.steps, key=lambda s: (not s.applied, not s.declined)),
        explanations=_explanations(report),
        pairs={"counts": charts.op_counts(report), "bytes": charts.op_bytes(report), "times": charts.op_times(report)},
        workloads=charts.workloads(report.benchmark.models) if report.benchmark else [],
        notes=[*report.notes, *(report.verification.notes if report.verification else ())],
        environment=list(_environment(report)),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfpare.html"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment.get_template("page.html")


def _milliseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _scientific(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


_FILTERS: dict[str, Any] = {
    "number": number,
    "bytes": in_bytes,
    "seconds": in_seconds,
    "share": share,
    "ms": _milliseconds,
    "sci": _scientific,
    "workload": workload_words,
}


@cache
def _asset(name: str) -> str:
    return resources.files("tfpare.html").joinpath(name).read_text(encoding="utf-8")


@cache
def _vendored() -> str:
    """Without the comment that would make developer tools look for a source map."""
    lines = _asset("vendor/chart.umd.min.js").splitlines()
    return "\n".join(line for line in lines if not line.startswith("//# sourceMappingURL="))


@cache
def _own_script() -> str:
    parts = "\n".join(_asset(f"static/{name}") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();'


def _policy(scripts: list[str]) -> str:
    """Only these scripts run, and nothing is fetched from anywhere."""
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"


def _embedded(data: object) -> Markup:
    text = json.dumps(to_json(data), separators=(",", ":"), allow_nan=False)
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    return Markup(text)


def _data(report: OptimizeReport, graphs: dict[str, Any]) -> dict[str, object]:
    times = charts.op_times(report)
    models = report.benchmark.models if report.benchmark else []
    return {
        "counts": charts.bars(charts.op_counts(report)),
        "bytes": charts.bars(charts.op_bytes(report)),
        "times": charts.bars(times) if times else None,
        "latencies": [charts.latencies(pair) for pair in charts.workloads(models)],
        "layers": [charts.layer_points(one) for one in report.layers if one.layers],
        "graphs": graphs,
        "explanations": _explanations(report),
    }


def _explanations(report: OptimizeReport) -> dict[str, str]:
    """First line of each step's documentation; none of steps that this tfpare does not know."""
    known = {e.name: e.summary for e in reversed(catalogue.entries())}
    return {s.name: known[s.name] for s in report.steps if s.name in known}


def _environment(report: OptimizeReport) -> Iterator[Fact]:
    yield Fact("tfpare", report.version)
    if report.benchmark is None:
        return
    machine = report.benchmark.environment
    quota = f", {machine.quota_cores:g} by quota" if machine.quota_cores else ""
    yield Fact("processor", f"{machine.cpu}, {machine.cores} of {machine.physical_cores} cores{quota}")
    yield Fact("instruction sets", ", ".join(machine.isa))
    yield Fact("memory", in_bytes(machine.memory_bytes))
    yield Fact("system", f"{machine.system}, Python {machine.python}")
    onednn = "" if machine.onednn is None else "oneDNN on" if machine.onednn else "oneDNN off"
    yield Fact("TensorFlow", ", ".join(part for part in (machine.tensorflow, machine.build, onednn) if part))
    intra, inter = (n or "automatic" for n in (machine.intra_threads, machine.inter_threads))
    yield Fact("threads", f"{intra} inside ops, {inter} between ops")
    yield Fact("clock governor", machine.governor)
    yield Fact("load", f"{machine.load:.2f}; other programs took {machine.others_share:.0%} of the processor time")
    for name, value in machine.variables.items():
        yield Fact(name, value)
