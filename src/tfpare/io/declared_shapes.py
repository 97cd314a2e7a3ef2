"""The shapes that nodes of a GraphDef claim to have."""

from __future__ import annotations

from typing import Any

from tfpare.io import attrs as attr_io
from tfpare.ir.types import Shape


def declared_shapes(graph_def: Any) -> dict[str, list[Shape]]:
    """Node name → the shapes of its outputs, for nodes that carry `_output_shapes`."""
    return {
        n.name: [attr_io.shape_from_proto(s) for s in n.attr["_output_shapes"].list.shape]
        for n in graph_def.node
        if "_output_shapes" in n.attr
    }
