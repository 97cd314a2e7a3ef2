"""Likely inputs and outputs of a bare GraphDef."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfpare.io import graphdef

_NO_OUTPUT = frozenset(
    "Const Assign NoOp Placeholder PlaceholderWithDefault VariableV2 Variable VarHandleOp SaveV2 RestoreV2 "
    "AssignVariableOp Assert HistogramSummary ScalarSummary MergeSummary MergeV2Checkpoints VarIsInitializedOp "
    "ReadVariableOp Identity".split()
)
_NO_OUTPUT_PREFIXES = ("Assign", "Apply", "ResourceApply", "Scatter", "Shape")
_TRAINING_PREFIXES = ("save/", "gradients/", "init", "report_uninitialized", "train/")


def guess_inputs(graph_def: Any, outputs: Sequence[str] = ()) -> list[str]:
    """Placeholders without default that the outputs need (all Placeholders when none are named)."""
    wanted = list(outputs) or guess_outputs(graph_def)
    nodes = graphdef.reachable(graph_def.node, wanted) if wanted else list(graph_def.node)
    return [f"{n.name}:0" for n in nodes if n.op in ("Placeholder", "PlaceholderV2")]


def guess_outputs(graph_def: Any) -> list[str]:
    """Nodes that nobody reads and whose op gives an answer."""
    read = {graphdef.node_name(i) for n in graph_def.node for i in n.input}
    names = [n.name for n in graph_def.node if n.name not in read and not n.name.startswith(_TRAINING_PREFIXES)]
    ops = {n.name: n.op for n in graph_def.node}
    likely = [n for n in names if ops[n] not in _NO_OUTPUT and not ops[n].startswith(_NO_OUTPUT_PREFIXES)]
    return [f"{n}:0" for n in likely or [n for n in names if ops[n] == "Identity"]]
