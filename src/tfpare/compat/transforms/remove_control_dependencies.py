"""Control edges that order nothing → gone."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.passes.base import PassResult
from tfpare.passes.prune_controls import Effects, drop_controls


@transform(effect=Effect.EXACT)
def remove_control_dependencies(work: Work) -> None:
    """Removes control edges that order nothing; what the pass prune_controls does, on nodes that nobody reads too.

    Differs: an edge stays if it orders a side effect, or places a node in a branch or loop of TF 1; a note says how
    many did. Without these both branches would be alive at once. Function bodies take part.
    Source: the Graph Transform Tool's remove_control_dependencies.
    """
    model, result = work.model(), PassResult()
    effects = Effects(model)
    for graph in model.all_graphs():
        drop_controls(graph, effects, result)
    kept = sum(result.declined.values())
    if kept:
        where = next(iter(result.examples.values()))
        work.notes.append(f"remove_control_dependencies left the control edges of {kept} nodes, such as {where!r}.")
