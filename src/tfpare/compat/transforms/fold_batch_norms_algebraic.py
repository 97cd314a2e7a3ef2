"""Batch norm as small operations → one node."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect

_RULE = "fuse_normalization_arithmetic"


@transform(effect=Effect.ROUNDING)
def fold_batch_norms_algebraic(work: Work) -> None:
    """Writes the arithmetic of tf.nn.batch_normalization as one node NAME__BatchNorm; outputs keep their name.

    Differs: the node is a FusedBatchNormV3, which TensorFlow can run, and which takes its statistics from wherever the
    arithmetic took them; the original makes a node of an op that exists nowhere. Arithmetic that does not fit is left
    alone, where the original aborts.
    Source: the Graph Transform Tool's fold_batch_norms_algebraic (a side branch).
    """
    work.simplify(rules=[_RULE])
    for graph in work.model().all_graphs():
        outputs = graph.output_nodes()
        for node in [n for n in graph if n.made_by == _RULE and n.op == "FusedBatchNormV3" and n not in outputs]:
            if not node.name.endswith("__BatchNorm"):
                graph.rename(node, graph.fresh_name(f"{node.name}__BatchNorm"))
