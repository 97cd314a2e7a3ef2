"""What a model has to satisfy before any pass may rely on it; TensorFlow checks it only when it loads the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfpare.errors import InvariantError, UnsupportedModel
from tfpare.io.functions import called_functions
from tfpare.ir.graph import Graph, Node, functions_of
from tfpare.ir.model import FunctionLibrary, Model
from tfpare.ir.ops import CALLS
from tfpare.ir.types import DType

MAX_CALL_DEPTH = 100
"""Functions that call functions: far above what people write, and passes may still recurse."""

_BRANCHES = frozenset("If StatelessIf Case StatelessCase".split())
_LOOPS = frozenset("While StatelessWhile".split())


def check_functions(protos: Mapping[str, Any]) -> None:
    """Refuses functions that call themselves, also through others or as a branch, and calls that nest too deeply.

    Raises:
        UnsupportedModel: naming the functions.
    """
    calls = {name: [c for c in dict.fromkeys(called_functions(p)) if c in protos] for name, p in protos.items()}
    depths: dict[str, int] = {}
    for name in calls:
        _measure(name, calls, depths)
        if depths[name] > MAX_CALL_DEPTH:
            raise UnsupportedModel(
                f"Function {name!r} nests more than {MAX_CALL_DEPTH} calls, which tfpare cannot read."
            )


def _measure(root: str, calls: Mapping[str, Sequence[str]], depths: dict[str, int]) -> None:
    """Depth first, without recursion of our own; `path` holds the functions that are being entered."""
    path = {root: iter(calls[root])} if root not in depths else {}
    while path:
        name = next(reversed(path))
        callee = next((c for c in path[name] if c not in depths), None)
        if callee is None:
            depths[name] = 1 + max((depths[c] for c in calls[name]), default=0)
            del path[name]
        elif callee in path:
            raise _recursive([*list(path)[list(path).index(callee) :], callee])
        else:
            path[callee] = iter(calls[callee])


def _recursive(circle: list[str]) -> UnsupportedModel:
    shown = " → ".join(circle[:5]) + (" → …" if len(circle) > 5 else "")
    return UnsupportedModel(
        f"Function {circle[0]!r} calls itself ({shown}). tfpare cannot read recursive functions: "
        "export the model with a loop (tf.while_loop) instead."
    )


def check_model(model: Model) -> None:
    """Proves that every graph which the model can reach is one: edges, ports, types, no cycles, calls that fit.

    Raises:
        UnsupportedModel: naming graph and node.
    """
    for graph in reachable_graphs(model):
        try:
            graph.check()
        except InvariantError as error:
            raise UnsupportedModel(
                f"{model.path}: {error} The file is damaged, or its writer makes invalid graphs."
            ) from error
        for node in graph:
            for name in _callees(node, model.library):
                _check_call(node, model.library.graph(name))


def reachable_graphs(model: Model) -> list[Graph]:
    """The graphs that callers enter and the functions behind them, each once."""
    found = dict.fromkeys(model.graphs)
    stack = list(model.graphs)
    while stack:
        for node in stack.pop():
            for name in _callees(node, model.library):
                body = model.library.graph(name)
                if body not in found:
                    found[body] = None
                    stack.append(body)
    return list(found)


def _callees(node: Node, library: FunctionLibrary) -> list[str]:
    names = [f.name for f in functions_of(node) if f.name in library]
    return [*names, node.op] if node.spec is not None and node.op in library else names


def _check_call(node: Node, body: Graph) -> None:
    """Arguments and results of a function against those of the node that calls it."""
    skipped = 1 if node.op in _BRANCHES else 0
    given = [v.dtype.base for v in node.inputs[skipped:]]
    results = [v.dtype.base for v in body.outputs.values()]
    if node.op in _LOOPS:
        fits = results == given or len(results) == 1
    elif node.op in CALLS or node.op in _BRANCHES or node.op == body.name:
        fits = results == _bases(node.dtypes)
    else:
        return
    if not fits or _bases(a.dtypes[0] for a in body.args) != given:
        raise UnsupportedModel(
            f"Node {node.name!r} ({node.op}) does not fit the function {body.name!r} that it calls: other arguments or "
            "results. The file is damaged."
        )


def _bases(dtypes: Iterable[DType]) -> list[DType]:
    return [d.base for d in dtypes]
