"""Checks of a NodeDef before anything is made of it."""

from __future__ import annotations

from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.ir.ops import OpSpec

MAX_OUTPUTS = 1 << 16
"""Outputs of one node: unrolled loops unpack thousands; a damaged count could ask for more than memory holds."""

_KINDS = {
    "int": "i",
    "float": "f",
    "bool": "b",
    "string": "s",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}


def check_node(node_def: Any, spec: OpSpec) -> None:
    """Refuses attributes that are missing or of another kind than the op declares, and absurd numbers of outputs.

    Raises:
        UnsupportedModel: naming the node.
    """
    attrs = node_def.attr
    for key, kind in spec.attr_kinds.items():
        if key in attrs:
            if attrs[key].WhichOneof("value") != _KINDS.get(kind, "list"):
                raise _damaged(node_def, f"attribute {key!r} is no {kind}")
        elif key not in spec.defaults:
            raise _damaged(node_def, f"attribute {key!r} is missing")
    _check_counts(node_def, spec)
    if node_def.op == "Const" and attrs["value"].tensor.dtype != attrs["dtype"].type:
        raise _damaged(node_def, "its value is of another type than it says")


def _check_counts(node_def: Any, spec: OpSpec) -> None:
    for args, limit in ((spec.inputs, len(node_def.input)), (spec.outputs, MAX_OUTPUTS)):
        for arg in args:
            count = node_def.attr[arg.number_attr].i if arg.number_attr in node_def.attr else 0
            if not 0 <= count <= limit:
                raise _damaged(node_def, f"attribute {arg.number_attr} = {count}, where {limit} is the most")


def _damaged(node_def: Any, what: str) -> UnsupportedModel:
    return UnsupportedModel(f"Node {node_def.name!r} ({node_def.op}): {what}. The file is damaged.")
