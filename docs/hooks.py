"""Pages that mkdocs makes while it builds, from what the project says elsewhere: so they cannot go stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.testing import CliRunner

from tfpare.catalogue import Entry, Section, entries
from tfpare.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
COPIES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
# Where the files that these pages link to are found in the documentation.
LINKS = {
    "docs/": "",
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "https://www.apache.org/licenses/LICENSE-2.0",
}
COMMANDS_MARK = "<!-- commands -->"
TRANSFORMS_MARK = "<!-- transforms -->"
EFFECTS = {
    "exact": "exact: the same answers, bit for bit",
    "rounding": "rounding: the same function, with floats rounded in another order",
    "lossy": "lossy: another function within a budget",
}
RULES_INTRO = """# Rules and passes

A **pass** works on the whole graph, a **rule** replaces one matched pattern. `tfpare explain NAME` prints the same
text; `--disable NAME` leaves one out, `--only NAME` uses nothing else. The preset `exact` takes the exact ones, `fast`
all of them.

The graphs before and after are in tfpare's text form, one node a line; the tests run them. `?` is a dimension that
differs from call to call.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    for source, page in COPIES.items():
        files.append(File.generated(config, page, content=_linked((ROOT / source).read_text(encoding="utf-8"))))
    files.append(File.generated(config, "rules.md", content=_rules()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the help of every command, or the table of transforms, where a page asks for it."""
    for mark, make in ((COMMANDS_MARK, _commands), (TRANSFORMS_MARK, _transforms)):
        markdown = markdown.replace(mark, make()) if mark in markdown else markdown
    return markdown


def _linked(text: str) -> str:
    for old, new in LINKS.items():
        text = text.replace(f"]({old}", f"]({new}")
    return text


def _rules() -> str:
    known = entries()
    parts = [RULES_INTRO]
    for kind, title in (("pass", "## Passes"), ("rule", "## Rules")):
        parts.append(title)
        parts.extend(_entry(e) for e in known if e.kind == kind)
    return "\n\n".join(parts) + "\n"


def _entry(entry: Entry) -> str:
    file = entry.module.replace(".", "/")
    parts = [f"### {entry.name}", f"{_escaped(entry.summary)}", f"*{EFFECTS[entry.effect]}* · `src/{file}.py`"]
    if entry.text:
        parts.append(_escaped(entry.text))
    if entry.after:
        parts.append("Runs after " + ", ".join(f"[`{name}`](#{name})" for name in entry.after) + ".")
    parts.extend(_section(s) for s in entry.sections)
    return "\n\n".join(parts)


def _section(section: Section) -> str:
    if section.heading.startswith(("Before", "After")):
        return f"{section.heading}:\n\n```text\n{section.text}\n```"
    return f"**{section.heading}:** {_escaped(section.text)}"


def _escaped(text: str) -> str:
    """Equations and op names hold characters that Markdown takes for emphasis or tags."""
    for character in "\\*_<[":
        text = text.replace(character, f"\\{character}")
    return text


def _transforms() -> str:
    rows = ["| Transform | What it does | Where it differs from the original, and why |", "|---|---|---|"]
    for entry in (e for e in entries() if e.kind == "transform"):
        differs = next((s.text for s in entry.sections if s.heading == "Differs"), "")
        what = " ".join(f"{entry.summary} {entry.text}".split())
        cells = [f"`{entry.name}`", *(_escaped(text).replace("|", "\\|") for text in (what, differs))]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _commands() -> str:
    names = [c.name or "" for c in app.registered_commands]
    return "\n\n".join(f"### {name}\n\n```text\n{_help(name)}\n```" for name in names)


def _help(name: str) -> str:
    result = CliRunner().invoke(app, [name, "--help"], prog_name="tfpare", terminal_width=100)
    if result.exit_code:
        raise RuntimeError(f"tfpare {name} --help failed: {result.output}")
    return result.output.strip()
