"""Save and restore ops of a main graph, for Sessions and TF Serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpare.io import attrs as attr_io
from tfpare.ir.types import dtype


@dataclass(frozen=True, slots=True)
class Saved:
    """A variable node of the main graph and where its value is stored."""

    node: str
    dtype_enum: int
    key: str
    slice_spec: str = ""
    is_resource: bool = True


def add_saver(meta_graph: Any, saved: Sequence[Saved]) -> None:
    """Adds the ops and the SaverDef; without variables the restore op does nothing.

    Variables that share a key are read-only copies of one value: it is written once.
    """
    graph_def, prefix = meta_graph.graph_def, _free_prefix(meta_graph.graph_def)
    filename = graph_def.node.add(name=f"{prefix}/filename", op="Placeholder")
    attr_io.encode(dtype("string"), filename.attr["dtype"])
    restore = graph_def.node.add(name=f"{prefix}/restore_all", op="NoOp")
    save = graph_def.node.add(name=f"{prefix}/save", op="Identity", input=[filename.name])
    attr_io.encode(dtype("string"), save.attr["T"])
    if saved:
        stored = list({(s.key, s.slice_spec): s for s in saved}.values())
        positions = {(s.key, s.slice_spec): k for k, s in enumerate(stored)}
        _strings(graph_def, f"{prefix}/keys", [s.key for s in stored])
        _strings(graph_def, f"{prefix}/slices", [s.slice_spec for s in stored])
        source = [filename.name, f"{prefix}/keys", f"{prefix}/slices"]
        read = graph_def.node.add(name=f"{prefix}/restore", op="RestoreV2", input=source)
        read.attr["dtypes"].list.type.extend(s.dtype_enum for s in stored)
        write = graph_def.node.add(name=f"{prefix}/write", op="SaveV2", input=source)
        write.attr["dtypes"].list.type.extend(s.dtype_enum for s in stored)
        for k, one in enumerate(saved):
            value = f"{prefix}/restore:{positions[one.key, one.slice_spec]}"
            restore.input.append("^" + _assign(graph_def, f"{prefix}/assign_{k}", one, value))
        for k, one in enumerate(stored):
            write.input.append(_read(graph_def, f"{prefix}/read_{k}", one))
        save.input.append("^" + write.name)
    meta_graph.saver_def.Clear()
    meta_graph.saver_def.filename_tensor_name = f"{filename.name}:0"
    meta_graph.saver_def.save_tensor_name = f"{save.name}:0"
    meta_graph.saver_def.restore_op_name = restore.name
    meta_graph.saver_def.version = 2
    meta_graph.saver_def.sharded = False


def _free_prefix(graph_def: Any) -> str:
    names = {n.name.partition("/")[0] for n in graph_def.node}
    prefix, k = "save", 0
    while prefix in names:
        k += 1
        prefix = f"save_{k}"
    return prefix


def _strings(graph_def: Any, name: str, values: list[str]) -> None:
    node = graph_def.node.add(name=name, op="Const")
    attr_io.encode(dtype("string"), node.attr["dtype"])
    attr_io.array_to_tensor(np.array([v.encode() for v in values], object), node.attr["value"].tensor)


def _assign(graph_def: Any, name: str, one: Saved, value: str) -> str:
    op = "AssignVariableOp" if one.is_resource else "Assign"
    node = graph_def.node.add(name=name, op=op, input=[one.node, value])
    node.attr["dtype" if one.is_resource else "T"].type = one.dtype_enum
    return node.name


def _read(graph_def: Any, name: str, one: Saved) -> str:
    if not one.is_resource:
        return one.node
    node = graph_def.node.add(name=name, op="ReadVariableOp", input=[one.node])
    node.attr["dtype"].type = one.dtype_enum
    return node.name
