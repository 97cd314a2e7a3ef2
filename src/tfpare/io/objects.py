"""The saved objects of a TF 2 SavedModel, each by its path from the root: `root.layers.0.kernel`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from tfpare.io import attrs as attr_io


def describe_objects(nodes: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Facts about every object that can be reached; one that has two paths is described at the shorter.

    Raises:
        UnsupportedModel: a variable has a type that does not exist.
    """
    if not nodes:
        return {}
    found, paths, waiting = {"root": _facts(nodes[0])}, {0: "root"}, deque([0])
    while waiting:
        k = waiting.popleft()
        for child in sorted(nodes[k].children, key=lambda c: c.local_name):
            path, target = f"{paths[k]}.{child.local_name}", child.node_id
            if target in paths:
                found[path] = {"same object as": paths[target]}
            elif 0 <= target < len(nodes):
                paths[target], found[path] = path, _facts(nodes[target])
                waiting.append(target)
            else:
                found[path] = {"object": f"{target} does not exist"}
    return found


def _facts(node: Any) -> dict[str, str]:
    kind: str = node.WhichOneof("kind") or "none"
    facts = {"kind": kind}
    if kind == "user_object":
        facts["identifier"] = node.user_object.identifier
    elif kind == "variable":
        facts["dtype"] = attr_io.dtype_from_enum(node.variable.dtype).name
        facts["shape"] = str(attr_io.shape_from_proto(node.variable.shape))
        facts["trainable"] = str(node.variable.trainable)
    elif kind == "function":
        facts["functions"] = ", ".join(sorted(node.function.concrete_functions))
    elif kind == "bare_concrete_function":
        facts["functions"] = node.bare_concrete_function.concrete_function_name
        facts["arguments"] = ", ".join(node.bare_concrete_function.argument_keywords)
    elif kind == "constant":
        facts["operation"] = node.constant.operation
    return facts
