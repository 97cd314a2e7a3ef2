"""Groups of options that several commands have: declared once, as the parameters of a function that makes one value."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import TypeAlias, get_type_hints

Command: TypeAlias = Callable[..., None]


def expanded(**groups: Callable[..., object]) -> Callable[[Command], Command]:
    """In place of each named parameter the command line has the parameters of a function; the command gets its result.

    With `@expanded(reading=data_options)` the command's parameter `reading` stands for all options of `data_options`.
    A name that several have is one option, which all of them get.
    """

    def decorate(command: Command) -> Command:
        own = _parameters(command, left_out=groups)
        made_from = {name: _parameters(make) for name, make in groups.items()}
        shown: dict[str, inspect.Parameter] = {}
        for name, parameter in own.items():
            shown.update(made_from.get(name, {name: parameter}))

        def call(**given: object) -> None:
            values = {name: groups[name](**{k: given[k] for k in made_from[name]}) for name in groups}
            command(**{name: values[name] if name in values else given[name] for name in own})

        call.__doc__, call.__name__ = command.__doc__, command.__name__
        call.__annotations__ = {name: p.annotation for name, p in shown.items()}
        call.__signature__ = inspect.Signature(list(shown.values()))  # type: ignore[attr-defined] - Typer reads it
        return call

    return decorate


def without(make: Callable[..., object], *names: str) -> Callable[..., object]:
    """A group without some of its options, which then have their defaults."""

    def made(**given: object) -> object:
        return make(**given)

    kept = [p for name, p in inspect.signature(make).parameters.items() if name not in names]
    made.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined] - `expanded` reads it
    made.__module__ = make.__module__
    return made


def _parameters(function: Callable[..., object], left_out: Collection[str] = ()) -> dict[str, inspect.Parameter]:
    """By name, with annotations in place of their texts; all of them by keyword, so that their order is free.

    What is left out keeps its text: its type, as the returned one, may be imported for type checkers alone.
    """
    parameters = inspect.signature(function).parameters
    texts = {name: p.annotation for name, p in parameters.items() if name not in left_out}
    types = get_type_hints(
        SimpleNamespace(__annotations__=texts), vars(sys.modules[function.__module__]), include_extras=True
    )
    return {
        name: p.replace(annotation=types.get(name, p.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, p in parameters.items()
    }
