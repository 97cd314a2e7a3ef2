"""Two nodes of one name: what differs, and whether that is only how others are called."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tfpare.diffing.types import FieldChange, NodeChange, ValueChange
from tfpare.diffing.values import attr_key, compare_values, shown
from tfpare.io.contents import NodeContents
from tfpare.io.op_registry import op_spec
from tfpare.ir.types import Attr, Func


@dataclass(frozen=True, slots=True)
class Names:
    """What A calls otherwise than B: nodes of one graph, functions of the library."""

    nodes: Mapping[str, str] = field(default_factory=dict[str, str])
    functions: Mapping[str, str] = field(default_factory=dict[str, str])

    def ref(self, ref: str) -> str:
        """B's spelling of an input of A."""
        name, colon, port = ref.partition(":")
        return f"{self.nodes.get(name, name)}{colon}{port}"

    def op(self, op: str) -> str:
        """B's spelling of an op of A, which may be a function."""
        return self.functions.get(op, op)

    def attr(self, value: Attr) -> Attr:
        """An attribute of A with B's spelling of functions."""
        if isinstance(value, Func):
            return Func(self.functions.get(value.name, value.name), tuple((k, self.attr(v)) for k, v in value.attrs))
        if isinstance(value, tuple):
            return tuple(self.attr(v) for v in value)
        return value


@dataclass(frozen=True, slots=True)
class _Found:
    """One difference; `is_renaming` where names explain it."""

    change: FieldChange
    is_renaming: bool = False


def diff_nodes(a: NodeContents, b: NodeContents, names: Names, internal: bool) -> tuple[NodeChange | None, bool]:
    """The difference of two nodes, and whether they differ in internal attributes that do not count.

    Args:
        a: a node of A.
        b: the node of B with its name.
        names: what else has other names.
        internal: whether internal attributes count.
    """
    if a.encoded() == b.encoded():
        return None, False
    found = [*_placement(a, b, names), *_inputs(a, b, names), *_controls(a, b, names)]
    attrs_a, attrs_b = explicit_attrs(a), explicit_attrs(b)
    value = _constant(attrs_a, attrs_b)
    keys = [k for k in sorted({*attrs_a, *attrs_b}) if not _is_tensor_pair(k, attrs_a, attrs_b)]
    differing = [k for k in keys if not _equal(attrs_a.get(k), attrs_b.get(k))]
    counted = [k for k in differing if internal or not k.startswith("_")]
    found.extend(_attr(k, attrs_a.get(k), attrs_b.get(k), names) for k in counted)
    if not found and value is None:
        return None, bool(differing)
    renaming = value is None and all(f.is_renaming for f in found)
    return NodeChange(a.name, b.op, [f.change for f in found], value, renaming), len(counted) < len(differing)


def _is_tensor_pair(key: str, a: Mapping[str, Attr], b: Mapping[str, Attr]) -> bool:
    return key == "value" and isinstance(a.get(key), np.ndarray) and isinstance(b.get(key), np.ndarray)


def _constant(a: Mapping[str, Attr], b: Mapping[str, Attr]) -> ValueChange | None:
    one, other = a.get("value"), b.get("value")
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return compare_values(one, other)
    return None


def explicit_attrs(node: NodeContents) -> dict[str, Attr]:
    """The attributes that are not what the op takes by default anyway."""
    attrs, defaults = node.attrs(), node.defaults()
    return {k: v for k, v in attrs.items() if k not in defaults or not _equal(v, defaults[k])}


def _equal(a: Attr | None, b: Attr | None) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return compare_values(a, b) is None
    return type(a) is type(b) and attr_key(a) == attr_key(b)


def _placement(a: NodeContents, b: NodeContents, names: Names) -> Iterator[_Found]:
    if a.op != b.op:
        yield _Found(FieldChange("op", a.op, b.op), names.op(a.op) == b.op)
    if a.device != b.device:
        yield _Found(FieldChange("device", a.device or None, b.device or None))


def _inputs(a: NodeContents, b: NodeContents, names: Names) -> Iterator[_Found]:
    for k in range(max(len(a.inputs), len(b.inputs))):
        one = a.inputs[k] if k < len(a.inputs) else None
        other = b.inputs[k] if k < len(b.inputs) else None
        if one != other:
            yield _Found(FieldChange(f"input {k}", one, other), one is not None and names.ref(one) == other)


def _controls(a: NodeContents, b: NodeContents, names: Names) -> Iterator[_Found]:
    if a.controls == b.controls:
        return
    renamed = {names.ref(c): c for c in a.controls}
    for after in sorted(b.controls - a.controls):
        before = renamed.get(after)
        yield _Found(FieldChange("control input", before, after), before is not None)
    for before in sorted(a.controls - b.controls):
        if names.ref(before) not in b.controls:
            yield _Found(FieldChange("control input", before, None))


def _attr(key: str, a: Attr | None, b: Attr | None, names: Names) -> _Found:
    change = FieldChange(key, None if a is None else shown(a), None if b is None else shown(b))
    return _Found(change, a is not None and b is not None and _equal(names.attr(a), b))


@cache
def is_known(op: str) -> bool:
    """Whether this TensorFlow has the op, and so its defaults."""
    return op_spec(op) is not None


def local_key(node: NodeContents, names: Names, internal: bool) -> Hashable:
    """What a node is, apart from its name and inputs."""
    attrs = explicit_attrs(node)
    kept = sorted(k for k in attrs if internal or not k.startswith("_"))
    return names.op(node.op), node.device, tuple((k, attr_key(names.attr(attrs[k]))) for k in kept)
