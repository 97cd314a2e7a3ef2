"""Transform strings: `strip_unused_nodes(type=float, shape="1,299,299,3") fold_constants(ignore_errors=true)`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tfpare.errors import UsageError

_BLANKS = re.compile(r"(?:\s|\\\n)*")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_BARE_VALUE = re.compile(r"[A-Za-z0-9_\-./]+")
_QUOTED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """One transform with its arguments as written; a name may occur several times."""

    name: str
    arguments: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name + (f"({', '.join(f'{k}={v}' for k, v in self.arguments)})" if self.arguments else "")


def parse(transforms: str | Iterable[str]) -> list[Call]:
    """The calls of one string, or of several that follow each other.

    Calls are separated by blanks, arguments by commas. A value is quoted or made of letters, digits and `-./_`; a
    backslash in quotes takes the next character as it is, and one at the end of a line joins it with the next.

    Raises:
        UsageError: with the place.
    """
    text = transforms if isinstance(transforms, str) else " ".join(transforms)
    return _Parser(text).calls()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def calls(self) -> list[Call]:
        found: list[Call] = []
        self._skip()
        while self.at < len(self.text):
            found.append(Call(self._take(_NAME, "the name of a transform"), self._arguments()))
            self._skip()
        return found

    def _arguments(self) -> tuple[tuple[str, str], ...]:
        if not self._accept("("):
            return ()
        found: list[tuple[str, str]] = []
        self._skip()
        while not self._accept(")"):
            if self._accept(","):
                self._skip()
            found.append(self._argument())
            if self._peek() not in (",", ")"):
                raise self._error("a comma or a closing parenthesis (no blank before it)")
        return tuple(found)

    def _argument(self) -> tuple[str, str]:
        name = self._take(_NAME, "the name of an argument")
        if not self._accept("="):
            raise self._error(f"'=' right after {name!r}")
        quoted = _QUOTED_VALUE.match(self.text, self.at)
        if quoted:
            self.at = quoted.end()
            return name, re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
        return name, self._take(_BARE_VALUE, f'a value right after "{name}=" (in quotes if it holds other characters)')

    def _take(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise self._error(what)
        self.at = match.end()
        return match[0]

    def _accept(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self.at += 1
        return True

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip(self) -> None:
        blanks = _BLANKS.match(self.text, self.at)
        self.at = blanks.end() if blanks else self.at

    def _error(self, wanted: str) -> UsageError:
        if self.at >= len(self.text):
            return UsageError(f"The transforms end where {wanted} is expected: …{self.text[-40:]!r}.")
        before, after = self.text[max(0, self.at - 30) : self.at], self.text[self.at : self.at + 20]
        return UsageError(f"Cannot read the transforms: {wanted} is expected at {before!r} ☞ {after!r}.")
