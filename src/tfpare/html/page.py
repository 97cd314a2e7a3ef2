"""Reports as one HTML file: everything is in it, and its content security policy lets it fetch nothing.

Names from models are untrusted text. They reach the page in two ways only: through Jinja2, which escapes them, and as
JSON in a script element that no browser executes; the page's own script puts them into the document as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from tfpare.html.contents import Contents, Report
from tfpare.html.figures import Figures
from tfpare.html.sections import facts, sections
from tfpare.html.summary import summary, tiles
from tfpare.measure.words import workload_words
from tfpare.report import verdict
from tfpare.report_evaluate import interval_words, value_words
from tfpare.tables import in_bytes, in_seconds, number, share
from tfpare.to_json import to_json

_SCRIPTS = ("start.js", "charts.js", "scopes.js", "layout.js", "graph.js", "details.js", "main.js")
_NOT_COMPARED = "not compared (--no-verify)"
# What could end the script element or a line of JavaScript.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_page(*reports: Report) -> str:
    """The page of a run, a comparison, an evaluation or times; or of several of them on the same models.

    Raises:
        UsageError: two are of one kind, or times are not of two models.
    """
    shown = Contents.of(*reports)
    figures = Figures.of(shown)
    scripts = [_vendored(), _own_script()]
    return _template().render(
        shown=shown,
        figures=figures,
        sections=sections(shown, figures),
        policy=_policy(scripts),
        style=Markup(_asset("static/page.css")),
        scripts=[Markup(s) for s in scripts],
        data=_embedded(figures.data()),
        steps=sorted(shown.run.steps, key=lambda s: (not s.applied, not s.declined)) if shown.run else [],
        tiles=tiles(shown),
        summary=summary(shown),
        answers=verdict(shown.verification) if shown.verification else _NOT_COMPARED,
        facts=list(facts(shown)),
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
    "value": value_words,
    "interval": interval_words,
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
