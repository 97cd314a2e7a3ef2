"""`tfpare new-rewrite`: a working rule and its test, to be edited."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from tfpare.errors import UsageError

_RULE = '''"""Two Negs in a row → none: replace this by what goes in → what comes out."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(
    op("Neg", op("Neg", any_("x"), bind="inner"), bind="outer"),
    effect=Effect.EXACT,  # ROUNDING where floats are rounded in another order
)
def {name}(new: Builder, outer: Node, inner: Node, x: Value) -> Value:
    """−(−x) = x: the first line is the equation.

    Before:
        x = input(float32[?,4])
        a = Neg(x)
        b = Neg(a)
        y = Relu(b)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: x is no float. (List every `require` below.)
    Source: the page, paper or transform that this comes from.
    """
    del new, inner  # new.op(...), new.like(...) and new.const(...) add what the replacement needs
    require(x.dtype.is_float, "only floats are negated twice", at=outer)
    return x
'''

_TEST = """from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "{name}"


def test_fires():
    assert_rewrites(
        NAME,
        "x = input(float32[?,4])\\na = Neg(x)\\nb = Neg(a)\\ny = Relu(b)\\nreturn y",
        "x = input(float32[?,4])\\ny = Relu(x)\\nreturn y",
    )


def test_declines_integers():
    source = "x = input(int32[?,4])\\na = Neg(x)\\nb = Neg(a)\\ny = Relu(b)\\nreturn y"
    assert_declines(NAME, source, "only floats")


def test_ignores_a_single_neg():
    assert_ignores(NAME, "x = input(float32[?,4])\\na = Neg(x)\\ny = Relu(a)\\nreturn y")
"""


@dataclass(frozen=True, slots=True)
class NewRewrite:
    """The files that were written, and the rule's name."""

    name: str
    rule: Path
    test: Path


def new_rewrite(name: str, start: Path) -> NewRewrite:
    """Writes a rule and its test into the checkout that holds `start`.

    Raises:
        UsageError: the name is no identifier or taken, or `start` is in no checkout of tfpare.
    """
    name = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot name a rule: use a verb phrase in lower case, such as fold_x_into_y.")
    root = _checkout(start.resolve())
    rule = root / "src" / "tfpare" / "rewrites" / f"{name}.py"
    test = root / "tests" / "rewrites" / f"test_{name}.py"
    for path in (rule, test):
        if path.exists():
            raise UsageError(f"{path} exists already: choose another name.")
    rule.write_text(_RULE.replace("{name}", name), encoding="utf-8")
    test.write_text(_TEST.replace("{name}", name), encoding="utf-8")
    return NewRewrite(name, rule, test)


def _checkout(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / "src/tfpare/rewrites").is_dir() and (folder / "tests/rewrites").is_dir():
            return folder
    raise UsageError(f"{start} is in no checkout of tfpare: run this where its pyproject.toml is.")
