"""TensorArrayV3 and its ops → TensorArrayV2."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfpare.compat.bodies import CONTROL, Body, bodies, data_inputs
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io.op_registry import op_spec
from tfpare.ir.types import dtype

_LAST_PRODUCER = 25  # TensorFlow refuses TensorArrayV2 and its ops in graphs of later versions
_CREATORS = frozenset({"TensorArrayV3", "TensorArrayGradV3"})
_USERS = frozenset(f"TensorArray{verb}V3" for verb in "Write Read Gather Scatter Concat Split Size Close".split())
_CARRIERS = frozenset("Identity Switch Merge Enter Exit NextIteration".split())


@transform(effect=Effect.EXACT)
def backport_tensor_array_v3(work: Work) -> None:
    """Writes tensor arrays with the ops that TensorFlow had before 1.0, for runtimes of that time.

    Readers of an array's flow, which the older op does not give, read a constant NODE/replacement_flow_node instead.

    Differs: that constant waits for the array, so that it lives in the same loop or branch and comes after it;
    attributes that the older ops lack are removed; Enter, Switch and their like carry the handle as the string that it
    was. The graph's version becomes one that still has these ops, 25. Function bodies take part.
    Source: the Graph Transform Tool's backport_tensor_array_v3.
    """
    versions = work.proto().versions
    for body in bodies(work):
        kept = work.required_nodes() if body.is_main else set[str]()
        arrays = [n for n in body.nodes if n.op in _CREATORS]
        for node in arrays:
            _retype_carriers(body, node.name, kept)
        for node in arrays:
            if 1 in body.ports_read(node.name):
                _replace_flow(body, node)
        for node in [n for n in body.nodes if n.op in _CREATORS | _USERS]:
            _to_v2(node)
            versions.producer = min(versions.producer, _LAST_PRODUCER)


def _replace_flow(body: Body, node: Any) -> None:
    name = body.fresh_name(f"{node.name}/replacement_flow_node")
    value = np.ones((), np.float32)
    flow = body.add("Const", name, (), [node.name], dtype=dtype("float32"), value=value)
    flow.device = node.device
    reference = body.spell(name)
    body.redirect(node.name, lambda port: reference if port == 1 else None, but=[name])


def _to_v2(node: Any) -> None:
    node.op = node.op.removesuffix("V3") + "V2"
    spec = op_spec(node.op)
    for key in list(node.attr) if spec is not None else ():
        if not key.startswith("_") and key not in spec.attr_kinds:  # type: ignore[union-attr]
            del node.attr[key]


def _retype_carriers(body: Body, array: str, kept: set[str]) -> None:
    """Lets the ops that carry an array's handle carry a string.

    Raises:
        UnsupportedModel: callers, a function or another op has the handle.
    """
    seen: set[str] = set()
    stack = [(array, 0)]
    while stack:
        source, port = stack.pop()
        ref = body.spell(source, port)
        if source in kept or ref in body.results():
            raise UnsupportedModel(f"The tensor array {array!r} leaves the graph or function; TensorArrayV2 could not.")
        for reader in body.readers_of(source):
            if reader.name in seen or all(body.parse(r) != (source, port) for r in data_inputs(reader)):
                continue
            seen.add(reader.name)
            if reader.op in _CARRIERS:
                attr_io.encode(dtype("string"), reader.attr["T"])
                stack.extend((reader.name, p) for p in body.ports_read(reader.name) - {CONTROL})
            elif reader.op not in _CREATORS | _USERS:
                raise UnsupportedModel(f"{reader.op} {reader.name!r} reads the tensor array {array!r} as a resource.")
