"""ConcatV2(…, axis) → Concat(axis, …)."""

from __future__ import annotations

from typing import Any

from tfpare.compat.bodies import Body, bodies, control_inputs, data_inputs
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.io import attrs as attr_io
from tfpare.ir.types import DType, dtype

_INT32, _INT64 = dtype("int32"), dtype("int64")


@transform(effect=Effect.EXACT)
def backport_concatv2(work: Work) -> None:
    """Writes concatenations with the op that TensorFlow had before 1.0, for runtimes of that time.

    Differs: control inputs are not taken for the axis; an int64 axis becomes int32, a constant at once, another one
    with a Cast. Function bodies take part.
    Source: the Graph Transform Tool's backport_concatv2.
    """
    for body in bodies(work):
        kept = work.required_nodes() if body.is_main else set[str]()
        for node in [n for n in body.nodes if n.op == "ConcatV2"]:
            *values, axis = data_inputs(node)
            narrow = _as_int32(body, node, axis, kept)
            node.op = "Concat"
            body.set_inputs(node, [narrow, *values], control_inputs(node))
            if "Tidx" in node.attr:
                del node.attr["Tidx"]
            _remove_if_unread(body, axis, kept)


def _as_int32(body: Body, node: Any, axis: str, kept: set[str]) -> str:
    if _index_type(body, node, axis) != _INT64:
        return axis
    name, _ = body.parse(axis)
    source = body.by_name.get(name)
    if source is None or source.op != "Const" or name in kept:
        cast = body.add("Cast", body.fresh_name(f"{node.name}/axis"), [axis], SrcT=_INT64, DstT=_INT32)
        return body.spell(cast.name)
    value = attr_io.tensor_to_array(source.attr["value"].tensor).astype("int32")
    const = body.add(
        "Const", body.fresh_name(f"{node.name}/axis"), (), control_inputs(source), dtype=_INT32, value=value
    )
    return body.spell(const.name)


def _index_type(body: Body, node: Any, axis: str) -> DType | None:
    if "Tidx" in node.attr:
        return attr_io.dtype_from_enum(node.attr["Tidx"].type)
    return body.type_of(axis)


def _remove_if_unread(body: Body, axis: str, kept: set[str]) -> None:
    name, _ = body.parse(axis)
    if name in body.by_name and body.by_name[name].op == "Const" and name not in kept and body.is_unread(name):
        body.remove([name])
