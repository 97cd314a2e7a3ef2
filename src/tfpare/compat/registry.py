"""Transforms by their names: what arguments each takes, of which types, and what it promises."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tfpare.compat import transforms
from tfpare.compat.syntax import Call
from tfpare.engine.rule import Effect
from tfpare.errors import UsageError, nearest

IGNORE_ERRORS = "ignore_errors"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a transform.

    Attributes:
        kind: int, float, bool or str.
        is_repeatable: whether it may be given several times; then the transform gets a tuple.
        is_required: whether it has no default.
    """

    name: str
    kind: type
    is_repeatable: bool
    is_required: bool

    def convert(self, text: str, transform: str) -> int | float | bool | str:
        """The value that a text stands for.

        Raises:
            UsageError: it is none of the parameter's kind.
        """
        try:
            if self.kind is bool:
                return {"true": True, "1": True, "false": False, "0": False}[text]
            if self.kind is not str and "_" in text:
                raise ValueError(text)  # a separator of digits in Python alone
            return self.kind(text)
        except (KeyError, ValueError) as error:
            wanted = "true or false" if self.kind is bool else "a whole number" if self.kind is int else "a number"
            raise UsageError(f"{transform}: {self.name}={text!r} is not {wanted}.") from error


@dataclass(frozen=True, slots=True)
class Transform:
    """A registered transform.

    Attributes:
        effect: what happens to the answers; None where that is up to the arguments.
        aliases: other names that scripts use.
    """

    name: str
    function: Callable[..., None]
    effect: Effect | None
    aliases: tuple[str, ...]
    parameters: dict[str, Parameter]

    @property
    def doc(self) -> str:
        """The whole docstring."""
        return inspect.getdoc(self.function) or ""

    @property
    def needs_arguments(self) -> bool:
        """Whether some argument has no default."""
        return any(p.is_required for p in self.parameters.values())

    def arguments(self, call: Call) -> dict[str, object]:
        """The keyword arguments that a call's texts stand for.

        Raises:
            UsageError: an argument that is unknown, missing, given twice or of the wrong type.
        """
        texts: dict[str, list[str]] = {}
        for key, text in call.arguments:
            if key == IGNORE_ERRORS:
                continue
            if key not in self.parameters:
                known = [*self.parameters, IGNORE_ERRORS]
                raise UsageError(f"{self.name} has no argument {key!r}.{nearest(key, known)}")
            texts.setdefault(key, []).append(text)
        found: dict[str, object] = {}
        for parameter in self.parameters.values():
            values = [parameter.convert(t, self.name) for t in texts.get(parameter.name, ())]
            if len(values) > 1 and not parameter.is_repeatable:
                raise UsageError(f"{self.name}: {parameter.name} is given {len(values)} times, but takes one value.")
            if not values and parameter.is_required:
                raise UsageError(f"{self.name} needs {parameter.name}=….")
            if values:
                found[parameter.name] = tuple(values) if parameter.is_repeatable else values[0]
        return found


F = TypeVar("F", bound=Callable[..., None])
TRANSFORMS: dict[str, Transform] = {}


def transform(*, effect: Effect | None, aliases: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Registers the decorated function as a transform under its own name.

    Its first parameter is the `Work`; the keyword-only ones are the transform's arguments: `int`, `float`, `bool` or
    `str`, or a `tuple[…, ...]` of one of these for an argument that may be given several times.

    Raises:
        ValueError: two transforms have one name, or it has no docstring.
    """

    def register(function: F) -> F:
        name = function.__name__
        taken = {n for t in TRANSFORMS.values() for n in (t.name, *t.aliases)}
        if {name, *aliases} & taken or not function.__doc__:
            raise ValueError(f"Transform {name!r} has a name that is taken, or no docstring.")
        TRANSFORMS[name] = Transform(name, function, effect, aliases, _parameters(function))
        return function

    return register


def _parameters(function: Callable[..., None]) -> dict[str, Parameter]:
    hints = typing.get_type_hints(function)
    found: dict[str, Parameter] = {}
    for one in inspect.signature(function).parameters.values():
        if one.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint = hints[one.name]
        kinds = [k for k in typing.get_args(hint) if k is not types.NoneType and k is not ...]
        is_repeatable = typing.get_origin(hint) is tuple
        kind = kinds[0] if kinds else hint
        found[one.name] = Parameter(one.name, kind, is_repeatable, one.default is inspect.Parameter.empty)
    return found


def load_all() -> None:
    """Imports every module of transforms, which registers them: a new file needs no list."""
    for module in pkgutil.iter_modules(transforms.__path__):
        importlib.import_module(f"{transforms.__name__}.{module.name}")


def find(name: str) -> Transform:
    """A transform by its name or alias.

    Raises:
        UsageError: there is none; the nearest is suggested.
    """
    load_all()
    by_name = {n: t for t in TRANSFORMS.values() for n in (t.name, *t.aliases)}
    if name not in by_name:
        raise UsageError(f"Transform {name!r} is not recognized.{nearest(name, by_name)}")
    return by_name[name]
