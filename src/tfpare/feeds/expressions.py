"""Input expressions such as `x=np.ones((1, 2)) * 255`: parsed, never executed as Python.

Python literals, arithmetic on them, and a short list of array makers. Everything else is refused.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tfpare.errors import UsageError, nearest
from tfpare.ir.types import Array

_MOST_ELEMENTS = 1 << 28  # 2 GB of float64: larger arrays are a typing mistake more often than an input

_RANDOM = ("rand", "randn", "random", "uniform", "normal", "standard_normal", "randint", "integers")
_MAKERS: dict[str, Callable[..., Any]] = {
    "ones": np.ones,
    "zeros": np.zeros,
    "full": np.full,
    "arange": np.arange,
    "linspace": np.linspace,
    "eye": np.eye,
    "array": np.array,
    "reshape": np.reshape,
}
_DTYPES = frozenset(
    {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"}
)
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b,
}


def evaluate(text: str, seed: int = 0) -> Array:
    """The array that an expression describes.

    Args:
        text: a literal (numbers, strings, bytes, booleans, nested lists), a call of `ones`, `zeros`, `full`, `arange`,
            `linspace`, `eye`, `array`, `reshape` or of a random maker (`rand(2, 3)`, `uniform(0, 1, (2, 3))`, …; with
            or without `np.` and `random.` before it), and `+ - * /` of these.
        seed: of the random makers.

    Raises:
        UsageError: anything else, with the part that is refused.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        value = _Evaluator(text, seed).value(tree)
        array: Array = np.asarray(value)
    except UsageError:
        raise
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise UsageError(f"The input expression {text!r} cannot be read: {error}.") from error
    if array.dtype.kind in "SU":
        return array.astype(object)
    if array.dtype.kind == "O":
        raise UsageError(f"The input expression {text!r} is no array: its rows differ in length or type.")
    return array


class _Evaluator:
    def __init__(self, text: str, seed: int) -> None:
        self._text = text
        self._rng = np.random.default_rng(seed)

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [self.value(e) for e in node.elts]
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            inner = _numeric(self.value(node.operand))
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = _numeric(self.value(node.left)), _numeric(self.value(node.right))
            return _BINARY[type(node.op)](left, right)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._dtype(node)
        raise self._refusal(node)

    def _dtype(self, node: ast.Name | ast.Attribute) -> Any:
        name = node.id if isinstance(node, ast.Name) else _dotted(node).removeprefix("np.").removeprefix("numpy.")
        if name not in _DTYPES and name not in ("int", "float"):
            raise self._refusal(node)
        return np.dtype(name)

    def _call(self, node: ast.Call) -> Any:
        name = _dotted(node.func)
        for prefix in ("np.", "numpy.", "random."):
            name = name.removeprefix(prefix)
        if name not in _MAKERS and name not in _RANDOM:
            raise self._refusal(node, nearest(name, [*_MAKERS, *_RANDOM]) if name else "")
        args = [self.value(a) for a in node.args]
        kwargs = {k.arg: self.value(k.value) for k in node.keywords if k.arg}
        self._check_size(name, args, kwargs)
        if name in _MAKERS:
            return _MAKERS[name](*args, **kwargs)
        return self._random(name, args, kwargs)

    def _random(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name == "rand":
            return self._rng.random(tuple(args))
        if name == "randn":
            return self._rng.standard_normal(tuple(args))
        return getattr(self._rng, "integers" if name == "randint" else name)(*args, **kwargs)

    def _check_size(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Refuses arrays that would not fit, before they are made."""
        sizes = np.atleast_1d(np.asarray(_asked_shape(name, args, kwargs), np.float64))
        if float(np.prod(np.abs(sizes))) > _MOST_ELEMENTS:
            raise UsageError(f"The input expression {self._text!r} asks for more than {_MOST_ELEMENTS} elements.")

    def _refusal(self, node: ast.expr, hint: str = "") -> UsageError:
        part = ast.get_source_segment(self._text.strip(), node) or self._text
        return UsageError(
            f"The input expression {self._text!r} is refused at {part!r}: only literals, + - * / and array makers "
            f"such as ones((1, 2)) are allowed.{hint}"
        )


def _asked_shape(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in ("rand", "randn"):
        return args
    if name == "eye":
        return args[:2] if len(args) > 1 else args * 2
    if name == "arange":
        step = abs(args[2]) if len(args) > 2 else 1
        return [max(abs(a) for a in args[:2]) / step] if args else []
    if name in ("uniform", "normal", "randint", "integers", "linspace"):
        return kwargs.get("size", kwargs.get("num", args[2] if len(args) > 2 else []))
    if name in ("array", "reshape"):
        return []
    return kwargs.get("shape", kwargs.get("size", args[0] if args else []))


def _numeric(value: Any) -> Any:
    """Operands as arrays or numbers, so that `[1, 2] * 1000000000` is a product and no repetition."""
    if isinstance(value, (str, bytes, list, tuple)):
        array: Array = np.asarray(value)
        if array.dtype.kind not in "iufc":
            raise TypeError("arithmetic needs numbers")
        return array
    return value


def _dotted(node: ast.expr) -> str:
    """`np.random.rand` as text, empty where it is anything but names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def split(text: str) -> list[tuple[str, str]]:
    """`a=1;b=[';']` as pairs of key and the rest; a semicolon in quotes or brackets does not separate.

    Raises:
        UsageError: a part without `=`.
    """
    pairs: list[tuple[str, str]] = []
    for part in _parts(text):
        key, equals, rest = part.partition("=")
        if not equals or not key.strip() or not rest.strip():
            raise UsageError(f"{part!r} is not of the form key=value. Separate several with ';'.")
        pairs.append((key.strip(), rest.strip()))
    return pairs


def _parts(text: str) -> list[str]:
    parts, quote, depth = [""], "", 0
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == ";" and depth <= 0:
            parts.append("")
            continue
        parts[-1] += character
    return [p for p in parts if p.strip()]
