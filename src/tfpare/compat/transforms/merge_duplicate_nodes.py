"""Equal nodes and equal constants → one."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect


@transform(effect=Effect.EXACT)
def merge_duplicate_nodes(work: Work) -> None:
    """Merges nodes that compute the same thing; runs the pass merge_duplicates.

    Differs: attributes are compared by name, with defaults; constants by their values, however they are stored;
    operands of commutative ops in either order; colocation does not matter. Placeholders stay two, listed or not. Ops
    that nobody registered stay as they are. Function bodies take part.
    Source: the Graph Transform Tool's merge_duplicate_nodes.
    """
    work.simplify(["merge_duplicates"])
