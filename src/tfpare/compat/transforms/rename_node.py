"""A node → the same under another name."""

from __future__ import annotations

from tfpare.compat.bodies import bodies
from tfpare.compat.registry import transform
from tfpare.compat.renaming import rename_nodes
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UsageError


@transform(effect=Effect.EXACT)
def rename_node(work: Work, *, old_node_name: str, new_node_name: str) -> None:
    """Renames a node of the main graph and everything that refers to it; a node that is not there gives a note.

    Differs: transforms that follow, and colocation constraints, know an input or output by its new name.
    Source: the Graph Transform Tool's rename_node.
    """
    body = next(bodies(work))
    if old_node_name not in body.by_name:
        work.notes.append(f"rename_node found no node {old_node_name!r}.")
        return
    if new_node_name in body.by_name:
        raise UsageError(f"{old_node_name!r} cannot be renamed: there is a node {new_node_name!r} already.")
    rename_nodes(work, body, {old_node_name: new_node_name})
