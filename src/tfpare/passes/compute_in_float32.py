"""Models of mixed precision, for CPUs without instructions for their type."""

from __future__ import annotations

from tfpare import runtime
from tfpare.engine.rule import Declined, Effect
from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.ir.types import DType, dtype
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.precision import ops
from tfpare.precision.apply import Converter
from tfpare.precision.retype import Retyping, retyping

_FLOAT32 = dtype("float32")
_NARROW = (dtype("float16"), dtype("bfloat16"))
_MADE_BY = "compute_in_float32"


@register(effect=Effect.LOSSY, after=("freeze_variables",))
def compute_in_float32(model: Model, options: PassOptions) -> PassResult:
    """Cast(f(Cast(x, float16), Cast(w, float16)), float32) = f(x, w), for float16 and bfloat16.

    Asked for by `--precision fp32`, for a model that was trained and exported with `mixed_float16` or `mixed_bfloat16`
    (which the SavedModel keeps) or was converted. Casts to the narrow type become Casts to float32, which go; variables
    kept in float32 are then read with all their bits. Runs first, before any Cast of a constant is folded.

    Declines when: the op is not one that does the same in float32 (bits are read, random numbers drawn, buffers of a
    fixed type filled); a caller feeds the value, or it is pinned. Inputs and outputs keep their type, functions and
    loops that of their arguments; a Cast stays there.
    Source: the op pages; Keras' mixed precision policies, which insert these Casts.
    """
    del options
    result = PassResult()
    narrow = casts = 0
    for graph in model.all_graphs():
        for old in _NARROW:
            narrow += any(old in (t.base for t in n.dtypes) for n in graph)
            casts += _widen(graph, old, result)
    if not narrow:
        result.notes.append("float32: the model holds no float16 or bfloat16, nothing was to be done")
    elif result.applied:
        result.notes.append(f"float32: {result.applied} ops computed in it now, {casts} Casts at inputs and outputs")
    return result


def _widen(graph: Graph, old: DType, result: PassResult) -> int:
    """Casts that were made where a value keeps its narrow type."""
    runtime.infer_shapes(graph)
    chosen: dict[Node, Retyping] = {}
    for node in graph:
        try:
            plan = retyping(graph, node, old, _FLOAT32) if node.op in ops.WIDENED else None
        except Declined as reason:
            result.decline(str(reason), node.name)
            continue
        if plan is not None:
            chosen[node] = plan
        elif old in (t.base for t in node.dtypes) and node.op not in ("Const", "Placeholder", "_Arg", *ops.WIDENED):
            result.decline(f"{node.op} is not known to do the same in float32", node.name)
    if not chosen:
        return 0
    converter = Converter(graph, chosen, old, _FLOAT32, _MADE_BY)
    converter.run()
    result.applied += len(chosen)
    return converter.casts
