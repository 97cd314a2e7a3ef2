"""What transforms leave behind: colocation with nodes that are gone, functions that nobody calls."""

from __future__ import annotations

from typing import Any

from tfpare.compat.bodies import map_colocations
from tfpare.compat.work import Work
from tfpare.io import whole_graph
from tfpare.io.functions import called_by, called_functions


def remove_leftovers(work: Work) -> None:
    """Removes colocation constraints that name no node, which TensorFlow refuses to load, and unused functions."""
    if not work.holds_protos:  # the IR has neither
        return
    for nodes in work.node_lists():
        names = {n.name for n in nodes}
        map_colocations(nodes, lambda name, names=names: name if name in names else None)
    if work.proto().library.function:
        _remove_unused_functions(work.proto())


def _remove_unused_functions(graph_def: Any) -> None:
    library = graph_def.library
    by_name = {f.signature.name: f for f in library.function}
    gradients = {g.function_name: g.gradient_func for g in library.gradient}
    used: set[str] = set()
    stack = called_by(graph_def.node)
    while stack:
        name = stack.pop()
        if name in used or name not in by_name:
            continue
        used.add(name)
        stack.extend([*called_functions(by_name[name]), gradients.get(name, "")])
    for index in range(len(library.function) - 1, -1, -1):
        if library.function[index].signature.name not in used:
            del library.function[index]
    kept = list(library.gradient)
    library.ClearField("gradient")
    whole_graph.restore_gradients(library, kept)
