"""Rules: a pattern, a function from its bindings to the replacement, and what kind of exactness it promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from tfpare.engine.pattern import Op
from tfpare.ir.graph import Node, Value


class Effect(Enum):
    """What a rewrite may do to the numbers."""

    EXACT = "exact"
    """Bit for bit the same answers."""
    ROUNDING = "rounding"
    """The same real-number function; floats are rounded in another order."""
    LOSSY = "lossy"
    """Another function within a budget; needs data and the user's consent."""


class Declined(Exception):  # noqa: N818 - not an error: not matching is normal
    """A rule's reason for leaving a match alone, and the node that is the cause."""

    def __init__(self, reason: str, at: Node) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


def require(condition: object, reason: str, at: Node) -> None:
    """Declines the match with `reason` unless the condition holds.

    Raises:
        Declined: the condition is false.
    """
    if not condition:
        raise Declined(reason, at)


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rewrite.

    Attributes:
        function: called with `new` (the Builder) and the pattern's bindings by parameter name.
        after: names of rules that must have run to their end before this one runs.
        shares: names of bindings whose nodes may have readers outside the match.
    """

    name: str
    pattern: Op
    function: Callable[..., Value | None]
    effect: Effect
    after: tuple[str, ...] = ()
    shares: frozenset[str] = frozenset()
    parameters: tuple[str, ...] = ()

    @property
    def doc(self) -> str:
        """The whole docstring."""
        return inspect.getdoc(self.function) or ""

    @property
    def summary(self) -> str:
        """First line of the docstring: the equation."""
        return self.doc.split("\n", 1)[0]

    @property
    def cli_name(self) -> str:
        """The name on the command line."""
        return self.name.replace("_", "-")


F = TypeVar("F", bound=Callable[..., "Value | None"])
RULES: dict[str, Rule] = {}


def rewrite(
    pattern: Op,
    *,
    effect: Effect,
    after: tuple[str, ...] = (),
    shares: tuple[str, ...] = (),
    registry: dict[str, Rule] = RULES,
) -> Callable[[F], F]:
    """Registers the decorated function as a rule under its own name.

    The function gets `new: Builder` and, by parameter name, the bindings: op patterns as Node, `any_` as Value,
    `const` as the array (floats in float64; write `name_value: Value` to get the Value of binding `name` instead).
    It returns the value that replaces the root's output 0.

    `registry` holds the rules of the presets unless another one is given, for rules that run on request alone.

    Raises:
        ValueError: two rules have one name, or the rule has no docstring.
    """

    def register(function: F) -> F:
        name = function.__name__
        if name in registry:
            raise ValueError(f"Two rules are called {name!r}.")
        if not inspect.getdoc(function):
            raise ValueError(f"Rule {name!r} needs a docstring: its equation, Before, After, Declines when, Source.")
        parameters = tuple(p for p in inspect.signature(function).parameters if p != "new")
        registry[name] = Rule(name, pattern, function, effect, after, frozenset(shares), parameters)
        return function

    return register
