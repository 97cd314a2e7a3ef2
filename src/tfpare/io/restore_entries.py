"""Where a graph's own restore ops find each variable in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfpare.io import graphdef, v1


def restore_entries(node_defs: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """Variable node name → (checkpoint key, slice spec).

    Read off the assignments of restored tensors; where there are none, a RestoreV2 that names the variable, or the
    whole of which it is a part (`w` for `w/part_3`), counts. The slices of several parts follow in their order.
    """
    nodes = list(node_defs)
    found = v1.restore_map(nodes)
    named = _named(nodes)
    parts: dict[str, list[str]] = {}
    for node_def in nodes:
        if node_def.op in ("Variable", "VariableV2") and node_def.name not in found:
            parts.setdefault(_whole(node_def.name), []).append(node_def.name)
    for key, names in parts.items():
        specs = named.get(key, [])
        names.sort(key=_part)
        if len(specs) == len(names):
            found.update((name, (key, spec)) for name, spec in zip(names, specs, strict=True))
        else:
            found.update((name, (name, named[name][0])) for name in names if name in named)
    return found


def _named(nodes: list[Any]) -> dict[str, list[str]]:
    by_name = {n.name: n for n in nodes}
    found: dict[str, list[str]] = {}
    for node_def in nodes:
        if node_def.op == "RestoreV2" and len(node_def.input) >= 3:
            keys, specs = (v1.string_const(by_name, node_def.input[k]) for k in (1, 2))
            for key, spec in zip(keys, specs, strict=False):
                found.setdefault(key, []).append(spec)
    return found


def _whole(name: str) -> str:
    stem, _, part = graphdef.node_name(name).rpartition("/part_")
    return stem if stem and part.isdecimal() else name


def _part(name: str) -> int:
    part = name.rpartition("/part_")[2]
    return int(part) if part.isdecimal() else 0
