"""Float constants of a graph and its functions, as protos: nothing else of the graph changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfpare.compat.bodies import Body, bodies, control_inputs
from tfpare.compat.work import Work
from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.ir.types import Array, DType, dtype


@dataclass(slots=True)
class FloatConstant:
    """A float32 constant.

    Attributes:
        body: the graph or function that holds its NodeDef.
    """

    node_def: Any
    array: Array
    body: Body

    def add_beside(self, wanted: str, array: Array, type_: DType) -> str:
        """Adds a constant that lives where this one does; returns how an input refers to it."""
        name = self.body.fresh_name(wanted)
        added = self.body.add("Const", name, (), control_inputs(self.node_def), dtype=type_)
        added.device = self.node_def.device
        attr_io.array_to_tensor(array, added.attr["value"].tensor, type_)
        return self.body.spell(name)


def float_constants(work: Work, n_elements: int) -> Iterator[FloatConstant]:
    """Float32 constants of at least so many elements, in the graph and in its functions.

    What callers feed is left out, for its value does not count.

    Raises:
        UnsupportedModel: a constant without type or value.
    """
    fed = {graphdef.node_name(t) for t in work.inputs}
    float32 = attr_io.dtype_to_enum(dtype("float32"))
    for body in bodies(work):
        for node_def in [n for n in body.nodes if n.op == "Const" and not (body.is_main and n.name in fed)]:
            if "dtype" not in node_def.attr or "value" not in node_def.attr:
                raise UnsupportedModel(f"Const {node_def.name!r} has no dtype or no value. The graph is damaged.")
            if node_def.attr["dtype"].type != float32:
                continue
            array = attr_io.tensor_to_array(node_def.attr["value"].tensor)
            if array.size >= n_elements:
                yield FloatConstant(node_def, array, body)
