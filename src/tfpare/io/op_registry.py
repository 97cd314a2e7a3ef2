"""Operation signatures from TensorFlow's own registry."""

from __future__ import annotations

from functools import cache
from typing import Any

from tfpare.io import attrs as attr_io
from tfpare.ir.ops import ArgSpec, OpSpec


@cache
def op_spec(op: str) -> OpSpec | None:
    """The spec of a registered op, None for an op that this TensorFlow does not know."""
    found = op_def(op)
    return None if found is None else spec_of(found)


def op_def(op: str) -> Any | None:
    """The `OpDef` proto of a registered op, None for an op that this TensorFlow does not know."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op)


def spec_of(proto: Any) -> OpSpec:
    """An `OpDef` proto (also a function's signature) as OpSpec."""
    return OpSpec(
        name=proto.name,
        inputs=tuple(_arg(a) for a in proto.input_arg),
        outputs=tuple(_arg(a) for a in proto.output_arg),
        defaults={a.name: attr_io.decode(a.default_value) for a in proto.attr if a.HasField("default_value")},
        attr_kinds={a.name: a.type for a in proto.attr},
        is_stateful=proto.is_stateful,
        is_commutative=proto.is_commutative,
    )


def _arg(arg: Any) -> ArgSpec:
    return ArgSpec(
        name=arg.name,
        dtype=attr_io.dtype_from_enum(arg.type) if arg.type else None,
        type_attr=arg.type_attr,
        number_attr=arg.number_attr,
        type_list_attr=arg.type_list_attr,
        is_ref=arg.is_ref,
    )
