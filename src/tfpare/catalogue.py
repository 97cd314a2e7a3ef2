"""What passes and rules there are, and what their docstrings say."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

from tfpare.compat import registry
from tfpare.engine.rule import RULES
from tfpare.errors import UsageError, nearest
from tfpare.passes.base import PASSES
from tfpare.pipeline import load_all

_HEADING = re.compile(r"^(Before|After|Declines when|Differs|Source)\b([^:\n]*):[ \t]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a docstring: an example (`Before`, `After`) or a remark (`Declines when`, `Source`)."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One pass, rule or transform.

    Attributes:
        summary: the first line, for rules the equation; text: what follows it up to the first heading.
        after: what has to run before it.
    """

    name: str
    kind: str
    effect: str
    summary: str
    text: str = ""
    sections: list[Section] = field(default_factory=list[Section])
    after: tuple[str, ...] = ()
    module: str = ""


def entries() -> list[Entry]:
    """All passes, then all rules, then all transforms, each by name."""
    load_all()
    registry.load_all()
    passes = [_entry(p.name, "pass", p.effect.value, p.doc, p.after, p.run.__module__) for p in PASSES.values()]
    rules = [_entry(r.name, "rule", r.effect.value, r.doc, r.after, r.function.__module__) for r in RULES.values()]
    transforms = [
        _entry(t.name, "transform", t.effect.value if t.effect else "as told", t.doc, (), t.function.__module__)
        for t in registry.TRANSFORMS.values()
    ]
    return [e for kind in (passes, rules, transforms) for e in sorted(kind, key=lambda e: e.name)]


def entry(name: str) -> Entry:
    """One pass, rule or transform by its name, in either spelling; of two with one name, `optimize`'s own.

    Raises:
        UsageError: there is none; the nearest is suggested.
    """
    known = {e.name: e for e in reversed(entries())}
    wanted = name.replace("-", "_")
    if wanted not in known:
        raise UsageError(f"There is no rule, pass or transform {name!r}.{nearest(wanted, known)}")
    return known[wanted]


def _entry(name: str, kind: str, effect: str, doc: str, after: tuple[str, ...], module: str) -> Entry:
    doc = inspect.cleandoc(doc)
    headings = list(_HEADING.finditer(doc))
    intro = doc[: headings[0].start()] if headings else doc
    summary, _, text = intro.partition("\n")
    ends = [h.start() for h in headings[1:]] + [len(doc)]
    sections = [_section(f"{h[1]}{h[2]}", doc[h.end() : end]) for h, end in zip(headings, ends, strict=True)]
    return Entry(name, kind, effect, summary.strip(), text.strip(), sections, after, module)


def _section(heading: str, text: str) -> Section:
    """Examples keep their lines, remarks are one paragraph."""
    is_example = heading.startswith(("Before", "After"))
    return Section(heading, inspect.cleandoc(text) if is_example else " ".join(text.split()))
