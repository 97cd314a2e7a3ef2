"""Float constants of a graph and its functions, as protos: nothing else of the graph changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfpare.compat.work import Work
from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.ir.types import Array, DType, dtype


@dataclass(slots=True)
class FloatConstant:
    """A float32 constant.

    Attributes:
        nodes: the repeated field that holds its NodeDef.
        taken: the names of that field's nodes.
        is_in_function: whether inputs are spelt as in function bodies.
    """

    node_def: Any
    array: Array
    nodes: Any
    taken: set[str]
    is_in_function: bool

    def add_beside(self, wanted: str, array: Array, type_: DType) -> str:
        """Adds a constant that lives where this one does; returns how an input refers to it."""
        name, k = wanted, 0
        while name in self.taken:
            k += 1
            name = f"{wanted}_{k}"
        self.taken.add(name)
        added = self.nodes.add(name=name, op="Const", device=self.node_def.device)
        added.input.extend(i for i in self.node_def.input if i.startswith("^"))
        attr_io.encode(type_, added.attr["dtype"])
        attr_io.array_to_tensor(array, added.attr["value"].tensor, type_)
        return f"{name}:output:0" if self.is_in_function else name


def float_constants(work: Work, n_elements: int) -> Iterator[FloatConstant]:
    """Float32 constants of at least so many elements, in the graph and in its functions.

    What callers feed is left out, for its value does not count.

    Raises:
        UnsupportedModel: a constant without type or value.
    """
    fed = {graphdef.node_name(t) for t in work.inputs}
    float32 = attr_io.dtype_to_enum(dtype("float32"))
    for position, nodes in enumerate(work.node_lists()):
        taken = {n.name for n in nodes}
        for node_def in [n for n in nodes if n.op == "Const" and (position or n.name not in fed)]:
            if "dtype" not in node_def.attr or "value" not in node_def.attr:
                raise UnsupportedModel(f"Const {node_def.name!r} has no dtype or no value. The graph is damaged.")
            if node_def.attr["dtype"].type != float32:
                continue
            array = attr_io.tensor_to_array(node_def.attr["value"].tensor)
            if array.size >= n_elements:
                yield FloatConstant(node_def, array, nodes, taken, position > 0)
