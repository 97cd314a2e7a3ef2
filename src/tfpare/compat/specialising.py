"""Bodies of loops and branches that something else calls too → copies, so that a pass may specialise them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tfpare.io.functions import called_functions
from tfpare.ir.copying import clone
from tfpare.ir.graph import Graph, functions_of
from tfpare.ir.model import Model
from tfpare.ir.types import Attr, Func

_SPECIALISED = frozenset("While StatelessWhile If StatelessIf Case StatelessCase".split())


def separate_bodies(model: Model) -> None:
    """Gives every loop and branch bodies that nothing else calls."""
    users = _users(model)
    for graph in list(model.all_graphs()):
        _separate(model, graph, users)


def _separate(model: Model, graph: Graph, users: Counter[str]) -> None:
    for node in [n for n in graph if n.op in _SPECIALISED and n not in graph.pinned]:
        for key, value in node.attrs.items():
            node.attrs[key] = _separated(model, value, users)


def _named(graph: Graph) -> list[str]:
    return [name for n in graph for name in (n.op, *(f.name for f in functions_of(n)))]


def _users(model: Model) -> Counter[str]:
    """How often each function is named, also by functions that no pass looks into."""
    users: Counter[str] = Counter()
    for graph in model.all_graphs():
        users.update(_named(graph))
    library: Any = model.library
    for name, proto in library.protos.items():
        if name not in library.graphs:
            users.update(called_functions(proto))
    return users


def _separated(model: Model, value: Attr, users: Counter[str]) -> Attr:
    if isinstance(value, tuple):
        return tuple(_separated(model, v, users) for v in value)
    if not isinstance(value, Func) or users[value.name] < 2 or value.name not in model.library:
        return value
    users[value.name] -= 1
    name = model.library.fresh_name(f"{value.name}_copy")
    copy = model.library.graphs[name] = clone(model.library.graph(value.name), name)
    users.update(_named(copy))
    _separate(model, copy, users)
    return Func(name, value.attrs)
