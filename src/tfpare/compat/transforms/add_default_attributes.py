"""Attributes left to their defaults → written out."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.io import whole_graph


@transform(effect=Effect.EXACT)
def add_default_attributes(work: Work) -> None:
    """Writes every attribute that a node leaves to the default of its op or function; later transforms keep to it.

    Differs: nodes of ops that nobody registered stay as they are, with a note; the nodes of functions take part.
    Source: the Graph Transform Tool's add_default_attributes.
    """
    work.wants_defaults = True
    unknown = whole_graph.add_defaults(work.proto())
    if unknown:
        work.notes.append(f"add_default_attributes knows no defaults of {', '.join(unknown)}: not registered.")
