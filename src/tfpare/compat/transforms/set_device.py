"""Devices of all nodes → one."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.EXACT)
def set_device(work: Work, *, device: str = "", if_default: bool = False) -> None:
    """Places every node on one device, or with `if_default` every node that has none yet.

    Differs: the nodes of functions take part.
    Source: the Graph Transform Tool's set_device.
    """
    for nodes in work.node_lists():
        for node_def in nodes:
            if not (if_default and node_def.device):
                node_def.device = device
