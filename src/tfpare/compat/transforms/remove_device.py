"""Devices of all nodes → none."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.EXACT)
def remove_device(work: Work) -> None:
    """Clears the device of every node, also inside functions.

    Differs: the original leaves the nodes of functions where they were, so that a graph for a GPU does not run
    elsewhere.
    Source: the Graph Transform Tool's remove_device.
    """
    for nodes in work.node_lists():
        for node_def in nodes:
            node_def.device = ""
