"""Other names for nodes of the main graph, wherever a work refers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tfpare.compat.bodies import Body
from tfpare.compat.work import Work
from tfpare.errors import UsageError
from tfpare.ir.model import VARIABLE_OPS


def rename_nodes(work: Work, body: Body, names: Mapping[str, str]) -> None:
    """Renames nodes of the main graph; signatures and stored variables follow.

    Raises:
        UsageError: an initialiser or asset is known by its name.
    """
    for name in sorted(work.initialisers() & set(names)):
        raise UsageError(f"{name!r} cannot be renamed: the model's initialisers and assets refer to it.")
    for node in body.nodes:
        has_key = "shared_name" in node.attr and node.attr["shared_name"].s
        if node.op in VARIABLE_OPS and node.name in names and not has_key:
            _rename_variable(work, node.name, names[node.name])
    body.rename(names)
    for old in work.required_nodes() & set(names):
        work.rename_tensors(old, names[old])


def _rename_variable(work: Work, old: str, new: str) -> None:
    """A variable without a shared name is known by its node's; its name in the checkpoint stays."""
    if old in work.variables:
        work.variables[new] = replace(work.variables.pop(old), key=new)
