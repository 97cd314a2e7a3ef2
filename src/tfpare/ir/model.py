"""A model: its graphs, the functions that they call, its variables and its signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tfpare.ir.graph import Graph, Node, functions_of
from tfpare.ir.types import Array, DType, Shape


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a signature. A sparse tensor has three tensors (indices, values, dense shape)."""

    tensors: tuple[str, ...]
    dtype: DType
    shape: Shape

    @property
    def is_composite(self) -> bool:
        """Whether callers pass several tensors for this key."""
        return len(self.tensors) != 1


@dataclass(frozen=True, slots=True)
class Signature:
    """What clients bind to: keys, dtypes and shapes of inputs and outputs."""

    name: str
    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method: str = "tensorflow/serving/predict"


VARIABLE_OPS = frozenset({"VariableV2", "Variable", "VarHandleOp"})


def variable_key(node: Node) -> str:
    """The key of the variable that a node of `VARIABLE_OPS` stands for; two nodes with one key are one variable."""
    shared = node.get("shared_name", "")
    return shared if isinstance(shared, str) and shared else node.name


@dataclass(slots=True)
class Variable:
    """A variable with a stored value, which `load` reads when it is wanted.

    Attributes:
        key: the handle's shared name (or, for object-based models, `object/<id>`).
        checkpoint_key: the tensor's name in the checkpoint, with `slice_spec` for a partition of it.
        label: what the user knows it by.
    """

    key: str
    dtype: DType
    shape: Shape
    load: Callable[[], Array]
    checkpoint_key: str = ""
    slice_spec: str = ""
    label: str = ""

    @property
    def n_bytes(self) -> int:
        """Size of the value in memory."""
        item = self.dtype.numpy
        return (self.shape.size or 0) * (item.itemsize if item is not None else 0)


@dataclass(frozen=True, slots=True)
class Alias:
    """An entry function that computes what another one computes.

    Attributes:
        args: its parameters (nodes of op `_Arg` without readers); results: its result names.
        primary: name of the function that holds the body.
        positions: for each result, its position among the primary's results.
    """

    name: str
    args: list[Node]
    results: list[str]
    primary: str
    positions: list[int]


class FunctionLibrary(Protocol):
    """The functions that a model's graphs can call."""

    graphs: dict[str, Graph]

    def __contains__(self, name: str) -> bool: ...
    def graph(self, name: str) -> Graph:
        """The body of a function."""
        ...

    def fresh_name(self, base: str) -> str:
        """A free function name."""
        ...


@dataclass(slots=True)
class Model:
    """What a reader hands to the passes and the passes hand to a writer.

    Attributes:
        form: how the model came: `saved_model_v1`, `saved_model_v2`, `graphdef`, `checkpoint`.
        graphs: the graphs that callers enter: one main graph, or one per public function.
        aliases: entry functions that only call one of `graphs`.
        origin: the reader's own record, which only the matching writer understands.
        notes: what the user should know.
    """

    path: Path
    form: str
    graphs: list[Graph]
    library: FunctionLibrary
    variables: dict[str, Variable]
    signatures: dict[str, Signature]
    tags: tuple[str, ...] = ()
    origin: Any = None
    aliases: dict[str, Alias] = field(default_factory=dict[str, Alias])
    notes: list[str] = field(default_factory=list[str])

    def bodies(self) -> list[Graph]:
        """The function bodies that the graphs reach through loops, branches and calls, callees first."""
        order: dict[str, Graph] = {}
        for graph in self.graphs:
            self._visit(graph, order, ())
        return list(order.values())

    def all_graphs(self) -> Iterator[Graph]:
        """Bodies first, then the graphs that callers enter."""
        yield from self.bodies()
        yield from self.graphs

    def _visit(self, graph: Graph, order: dict[str, Graph], path: tuple[str, ...]) -> None:
        for node in [n for n in graph if n.op in REWRITTEN_CALLERS]:
            for func in functions_of(node):
                if func.name in order or func.name not in self.library:
                    continue
                body = self.library.graph(func.name)
                self._visit(body, order, (*path, func.name))
                order[func.name] = body

    def count_nodes(self) -> int:
        """Nodes of all graphs."""
        return sum(len(g) for g in self.all_graphs())


REWRITTEN_CALLERS = frozenset(
    "PartitionedCall StatefulPartitionedCall While StatelessWhile If StatelessIf Case StatelessCase".split()
)
"""Ops whose function bodies are rewritten; the functions of any other op (datasets, map_fn in C++) stay as they are."""
