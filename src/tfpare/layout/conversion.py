"""What a node becomes in the other layout, and the register of functions that know it for each op."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tfpare.engine.rule import require
from tfpare.ir.graph import Node, Value
from tfpare.ir.types import Array, Attr
from tfpare.layout import ops
from tfpare.layout.direction import SMALLEST_RANK, Direction


@dataclass(slots=True)
class Conversion:
    """A node in the other layout. What is not listed stays as it is.

    Attributes:
        inputs: position of an input that it reads in the other layout → rank of that input.
        outputs: port of an output that it gives in the other layout → rank.
        shapes: port of an output with one entry per dimension, which come in the other order → their number.
        constants: position of a constant input → its value in the other layout.
        vectors: position of a computed input with one entry per dimension → their number.
        attrs: attributes that change.
        as_stored: positions of inputs that it reads in either layout, whether it is converted or not.
        is_bound: whether a CPU runs the op in NHWC alone (without oneDNN).
    """

    inputs: dict[int, int] = field(default_factory=dict[int, int])
    outputs: dict[int, int] = field(default_factory=dict[int, int])
    shapes: dict[int, int] = field(default_factory=dict[int, int])
    constants: dict[int, Array] = field(default_factory=dict[int, Array])
    vectors: dict[int, int] = field(default_factory=dict[int, int])
    attrs: dict[str, Attr] = field(default_factory=dict[str, Attr])
    as_stored: frozenset[int] = frozenset()
    is_bound: bool = False

    def add_output(self, port: int, rank: int) -> None:
        """An output in the other layout; one of low rank is the same in both."""
        if rank >= SMALLEST_RANK:
            self.outputs[port] = rank


@dataclass(frozen=True, slots=True)
class Site:
    """A node that may be converted, and where to."""

    node: Node
    direction: Direction
    fed: Set[Value]

    def constant(self, position: int) -> Array | None:
        """The value of an input that is constant and that no caller feeds."""
        value = self.node.inputs[position]
        return None if value in self.fed else value.constant

    def rank(self, position: int) -> int:
        """The rank of an input.

        Raises:
            Declined: it is not known.
        """
        rank = self.node.inputs[position].shape.rank
        require(rank is not None, "the rank of an input is not known", at=self.node)
        return rank or 0

    def out_rank(self, port: int = 0) -> int:
        """The rank of an output.

        Raises:
            Declined: it is not known.
        """
        rank = self.node.out(port).shape.rank
        require(rank is not None, "the rank of an output is not known", at=self.node)
        return rank or 0

    def known(self, position: int, what: str) -> Array:
        """The value of a constant input.

        Raises:
            Declined: it is not constant.
        """
        array = self.constant(position)
        require(array is not None, f"{what} is computed", at=self.node)
        return np.asarray(array)

    def read(self, made: Conversion, position: int, rank: int) -> None:
        """Reads an input in the other layout; a constant is permuted now.

        Raises:
            Declined: Transpose has no kernel for its dtype.
        """
        type_ = self.node.inputs[position].dtype.base
        require(type_.numpy is not None and not type_.name.startswith("q"), f"it reads {type_}", at=self.node)
        array = self.constant(position)
        if array is None:
            made.inputs[position] = rank
        else:
            made.constants[position] = self.direction.array(array)

    def entries(self, made: Conversion, position: int, rank: int) -> None:
        """Reads an input that has one entry per dimension.

        Raises:
            Declined: it has another number of entries, or it is not known how many.
        """
        dims = self.node.inputs[position].shape.dims
        require(
            dims is not None and len(dims) > 0 and dims[0] == rank, "an operand has an unusual length", at=self.node
        )
        array = self.constant(position)
        if array is None:
            made.vectors[position] = rank
        else:
            made.constants[position] = self.direction.entries(array, rank)


Plan = Callable[[Site], Conversion | None]
"""Says what a node is in the other layout; None where there is nothing to convert.

Raises:
    Declined: it has no counterpart, with the reason.
"""

_PLANS: dict[str, Plan] = {}


def converts(*names: str) -> Callable[[Plan], Plan]:
    """Registers a function for ops."""

    def register(plan: Plan) -> Plan:
        _PLANS.update(dict.fromkeys(names, plan))
        return plan

    return register


@cache
def all_plans() -> Mapping[str, Plan]:
    """The functions of all modules in `tfpare.layout.ops`, by op."""
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return _PLANS
