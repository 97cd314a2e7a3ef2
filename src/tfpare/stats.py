"""Sizes of models, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path

from tfpare.api_types import ModelStats
from tfpare.ir.model import VARIABLE_OPS, Model, variable_key
from tfpare.passes.merge_duplicates import digest


def model_stats(models: Iterable[Model], path: Path) -> ModelStats:
    """Nodes, functions, ops and weight bytes of what the signatures reach, and the bytes on disk."""
    stats, ops = ModelStats(file_bytes=file_bytes(path)), Counter[str]()
    distinct: dict[Hashable, int] = {}  # functions that hold one constant store it once
    for model in models:
        bodies = model.bodies()
        stats.functions += len(bodies) + (
            len(model.graphs) + len(model.aliases) if model.form == "saved_model_v2" else 0
        )
        for graph in [*bodies, *model.graphs]:
            ops.update(n.op for n in graph if n.op != "_Arg")
            for array in (n.out().constant for n in graph if n.op == "Const"):
                if array is not None:
                    distinct[digest(array)] = array.nbytes
        stats.weight_bytes += _variable_bytes(model)
    stats.weight_bytes += sum(distinct.values())
    stats.ops = dict(ops.most_common())
    stats.nodes = sum(ops.values())
    return stats


def _variable_bytes(model: Model) -> int:
    keys = {variable_key(n) for g in model.all_graphs() for n in g if n.op in VARIABLE_OPS}
    return sum(model.variables[k].n_bytes for k in keys if k in model.variables)


def file_bytes(path: Path) -> int:
    """Bytes of a file, of a directory's files, or of a checkpoint's files."""
    if path.is_dir():
        return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    if path.is_file():
        return path.stat().st_size
    return sum(f.stat().st_size for f in path.parent.glob(f"{path.name}.*"))
