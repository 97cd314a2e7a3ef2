"""Parts of a graph whose precision is chosen, each with a switch in one graph that answers for all choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfpare.ir.graph import Graph, Value
from tfpare.ir.types import Array, Shape, dtype

_BOOL, _FLOAT = dtype("bool"), dtype("float32")


@dataclass(frozen=True, slots=True)
class Layer:
    """A part that is in the narrower type as a whole or not at all.

    Attributes:
        name: of its node that the others follow.
        op: of that.
        nodes: names of all that go back to float with it.
        flag: a boolean scalar to feed: whether it is in the narrower type.
        gain: what the narrower type is worth, in the same unit for all layers of a graph.
    """

    name: str
    op: str
    nodes: tuple[str, ...]
    flag: Value
    gain: float = 1.0


def add_flag(graph: Graph, name: str) -> Value:
    """The switch of a layer."""
    attrs = {"dtype": _BOOL, "shape": Shape(())}
    return graph.add("Placeholder", (), attrs, name=f"{name}/narrow", shapes=(Shape(()),)).out()


def add_select(graph: Graph, flag: Value, chosen: Value, other: Value) -> Value:
    """One of two float32 values of the same shape."""
    node = graph.add("SelectV2", [flag, chosen, other], {"T": _FLOAT}, name=f"{other.node.name}/switched")
    node.shapes = (other.shape,)
    return node.out()


def switches(layers: Sequence[Layer], on: set[int]) -> dict[str, Array]:
    """What to feed so that the layers of these positions are in the narrower type, and no other."""
    return {f"{layer.flag.node.name}:0": np.array(k in on) for k, layer in enumerate(layers)}
