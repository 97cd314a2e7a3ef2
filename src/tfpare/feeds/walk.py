"""Following a value forwards through a model: through ops that pass it on, into called functions and out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, Model
from tfpare.ir.types import UNKNOWN, Shape

Path = tuple[tuple[Node, Graph], ...]  # the calls that lead to a body, outermost first: caller and body
_MOST_STATES = 20_000  # a value that spreads further tells nothing about the input
_PREDICATE_FIRST = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})

Passes = Mapping[str, Callable[[Node, int], list[int]]]
"""Op → function from a node and the position of an input to the outputs that carry its values on."""


@dataclass(frozen=True, slots=True)
class Use:
    """A node that reads the followed value at an input position, inside the calls of `path`."""

    node: Node
    position: int
    path: Path


def uses(model: Model, start: Value, passes: Passes) -> Iterator[Use]:
    """Every node that reads the value, directly or through ops in `passes`."""
    stack: list[tuple[Value, Path]] = [(start, ())]
    seen: set[tuple[Value, Path]] = set()
    while stack and len(seen) < _MOST_STATES:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        value, path = state
        stack.extend(_returns(value, path))
        for reader in value.node.readers:
            for position, read in enumerate(reader.inputs):
                if read != value:
                    continue
                yield Use(reader, position, path)
                stack.extend((reader.out(k), path) for k in _carried(reader, position, passes))
                stack.extend(_enters(model, reader, position, path))


def _carried(node: Node, position: int, passes: Passes) -> list[int]:
    rule = passes.get(node.op)
    return [k for k in rule(node, position) if k < len(node.dtypes)] if rule is not None else []


def _enters(model: Model, node: Node, position: int, path: Path) -> Iterator[tuple[Value, Path]]:
    if node.op not in REWRITTEN_CALLERS or len(path) > 16:
        return
    index = position - (node.op in _PREDICATE_FIRST)
    for func in functions_of(node):
        if func.name in model.library and index >= 0:
            body = model.library.graph(func.name)
            if index < len(body.args) and all(b is not body for _, b in path):
                yield body.args[index].out(), (*path, (node, body))


def _returns(value: Value, path: Path) -> Iterator[tuple[Value, Path]]:
    if not path:
        return
    caller, body = path[-1]
    for index, result in enumerate(body.outputs.values()):
        if result == value and index < len(caller.dtypes):
            yield caller.out(index), path[:-1]


_TRANSPARENT = frozenset({"Identity", "ReadVariableOp", "Enter", "RefEnter", "StopGradient", "Snapshot"})


def source(value: Value, path: Path) -> Value:
    """Where a value comes from: back through Identity and reads of variables, and out of bodies to the caller."""
    while True:
        node = value.node
        if node.op in _TRANSPARENT and node.inputs:
            value = node.inputs[0]
        elif node.op == "_Arg" and path and node in path[-1][1].args:
            caller, body = path[-1]
            value = caller.inputs[body.args.index(node) + (caller.op in _PREDICATE_FIRST)]
            path = path[:-1]
        else:
            return value


def shape_of(value: Value, path: Path) -> Shape:
    """The shape of a constant, a variable (by its handle too), or what was noted of another value."""
    origin = source(value, path)
    if origin.constant is not None:
        return Shape(tuple(int(d) for d in origin.constant.shape))
    shape = origin.node.get("shape") if origin.node.op in ("VarHandleOp", "VariableV2", "Variable") else None
    return shape if isinstance(shape, Shape) else origin.shape or UNKNOWN
