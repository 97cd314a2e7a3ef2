"""Two function libraries.

Names such as `__inference_f_123` change with every export, so functions with equal bodies are taken for the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping

from tfpare.diffing.entries import diff_fields
from tfpare.diffing.graphs import diff_graphs
from tfpare.diffing.nodes import Names, local_key
from tfpare.diffing.renames import digest
from tfpare.diffing.types import FunctionDiff, FunctionsDiff, Renaming
from tfpare.io.contents import FunctionContents, NodeContents
from tfpare.ir.types import Attr, Func
from tfpare.structure import inputs_first

Functions = Mapping[str, FunctionContents]
_NUMBER = re.compile(r"_\d+$")


def match_functions(a: Functions, b: Functions, internal: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Functions of A that have another name in B: those with equal bodies, and those that differ.

    The latter are called the same but for a number at the end, and no other function is.
    """
    only_a = {n: f for n, f in a.items() if n not in b}
    only_b = {n: f for n, f in b.items() if n not in a}
    if not only_a or not only_b:
        return {}, {}
    equal = _equal_bodies(only_a, only_b, internal)
    taken = set(equal.values())
    bases_a = _unique_bases(n for n in only_a if n not in equal)
    bases_b = _unique_bases(n for n in only_b if n not in taken)
    return equal, {name: bases_b[base] for base, name in bases_a.items() if base in bases_b}


def diff_functions(a: Functions, b: Functions, internal: bool) -> tuple[FunctionsDiff, dict[str, str]]:
    """What differs, and the functions of A that have other names in B."""
    equal, alike = match_functions(a, b, internal)
    names, taken = {**equal, **alike}, {*equal.values(), *alike.values()}
    found = FunctionsDiff(
        only_in_a=[n for n in a if n not in b and n not in names],
        only_in_b=[n for n in b if n not in a and n not in taken],
        renamed=[Renaming(old, new) for old, new in equal.items()],
    )
    for name, function in a.items():
        other = b.get(alike.get(name, name))
        if other is None:
            continue
        fields = diff_fields(counted(function.facts, internal), counted(other.facts, internal))
        body = diff_graphs(function.nodes, other.nodes, names, internal)
        found.internal += body.internal
        if fields or not body.is_equal or name in alike:
            found.changed.append(FunctionDiff(name, other.name, fields, body))
    return found, names


def counted(facts: Mapping[str, str], internal: bool) -> dict[str, str]:
    """Facts without internal attributes, where these do not count."""
    return {k: v for k, v in facts.items() if internal or not k.startswith("attribute _")}


def _equal_bodies(a: Functions, b: Functions, internal: bool) -> dict[str, str]:
    waiting: dict[str, deque[str]] = {}
    for name, key in _body_keys(b, internal).items():
        waiting.setdefault(key, deque()).append(name)
    pairs: dict[str, str] = {}
    for name, key in _body_keys(a, internal).items():
        if waiting.get(key):
            pairs[name] = waiting[key].popleft()
    return pairs


def _unique_bases(names: Iterable[str]) -> dict[str, str]:
    by_base: dict[str, list[str]] = {}
    for name in names:
        by_base.setdefault(_NUMBER.sub("", name), []).append(name)
    return {base: found[0] for base, found in by_base.items() if len(found) == 1}


def _body_keys(functions: Functions, internal: bool) -> dict[str, str]:
    """A hash of each function that does not call itself, in which its callees among `functions` are hashes too."""
    calls = {n: [c for c in _calls(f) if c in functions] for n, f in functions.items()}
    keys: dict[str, str] = {}
    for name in inputs_first(calls):
        keys[name] = _body_key(functions[name], Names(functions=keys), internal)
    return keys


def _body_key(function: FunctionContents, names: Names, internal: bool) -> str:
    nodes = (
        (n, local_key(node, names, internal), node.inputs, sorted(node.controls)) for n, node in function.nodes.items()
    )
    return digest((sorted(counted(function.facts, internal).items()), sorted(map(repr, nodes))))


def _calls(function: FunctionContents) -> Iterable[str]:
    for node in function.nodes.values():
        yield node.op
        for value in node.attrs().values():
            yield from _functions_of(value)


def _functions_of(value: Attr) -> Iterable[str]:
    if isinstance(value, Func):
        yield value.name
    elif isinstance(value, tuple):
        for one in value:
            yield from _functions_of(one)


def all_nodes(nodes: Mapping[str, NodeContents], functions: Functions) -> Iterable[NodeContents]:
    """Those of the main graph, then those of every function."""
    yield from nodes.values()
    for function in functions.values():
        yield from function.nodes.values()
