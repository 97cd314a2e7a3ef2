"""Old scripts change one import line: the names and arguments of the Graph Transform Tool and its companions.

`from tfpare.compat import TransformGraph, freeze_graph, optimize_for_inference`
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfpare.compat.freeze import freeze_graph
    from tfpare.compat.graph_transforms import TransformGraph
    from tfpare.compat.inference import optimize_for_inference

__all__ = ["TransformGraph", "freeze_graph", "optimize_for_inference"]

_PLACES = {
    "TransformGraph": "tfpare.compat.graph_transforms",
    "freeze_graph": "tfpare.compat.freeze",
    "optimize_for_inference": "tfpare.compat.inference",
}


def __getattr__(name: str) -> object:
    """Imports what is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
