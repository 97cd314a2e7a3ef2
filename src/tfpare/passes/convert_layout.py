"""Channels first ↔ channels last, for whole graphs."""

from __future__ import annotations

from tfpare import runtime
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.layout.apply import Converter
from tfpare.layout.choice import Candidates, choose
from tfpare.layout.direction import Direction
from tfpare.passes.base import PassOptions, PassResult, register

_NO_GAIN = "converting it would gain nothing"
_BORDERS = ("Placeholder", "PlaceholderWithDefault", "_Arg")


@register(effect=Effect.ROUNDING, after=("freeze_variables", "fold_constants"))
def convert_layout(model: Model, options: PassOptions) -> PassResult:
    """Conv2D(x, K, NCHW) = Transpose(Conv2D(Transpose(x, [0, 2, 3, 1]), K, NHWC), [0, 3, 1, 2]); NHWC to NCHW likewise.

    Asked for by `--layout`: `NHWC`, `NCHW`, `auto`, or `keep` (the default: nothing is done).
    `auto` takes NHWC where TensorFlow sees no GPU, and else keeps what there is: on CPUs TensorFlow's own convolutions
    and pooling exist in NHWC alone, and oneDNN's, which also take NCHW, are not there on every server. NCHW is never
    chosen unasked.

    Ops that work in any layout (elementwise ops, concatenation, padding, slices, reductions, …) are converted along,
    their constants, axes and attributes permuted now. Which of them is a minimum cut of the graph: as few Transposes
    are left as can be, those that the model had included, at most two for each convolution or pooling. In a ConvNet
    these are the ones at its inputs and outputs, which keep their layout. Function bodies are converted on their own.

    A connected group of ops is converted where it holds an op that CPUs run in NHWC alone (convolutions, pooling, depth
    to space), where fewer Transposes are left than there were, or where as many are left and batch norm or bias gets
    the layout that was asked for.

    Declines when: a caller feeds the value, or it is pinned; the rank is not known; an axis or permutation is computed;
    a group gains nothing. Where a Transpose stays at an op in the middle of the graph, the reason names that op.
    Source: Grappler's layout optimizer, which works while a model is loaded, for GPUs; the op pages.
    """
    result = PassResult()
    direction = _direction(options.layout, result)
    if direction is None:
        return result
    before = _count_transposes(model)
    for graph in model.all_graphs():
        _convert(graph, direction, result)
    if result.applied:
        after = _count_transposes(model)
        result.notes.append(f"layout {direction.target}: the model had {before} Transpose ops and now has {after}")
    return result


def _direction(layout: str, result: PassResult) -> Direction | None:
    if layout == "auto" and runtime.has_gpu():
        result.notes.append(
            "layout: kept, because there is a GPU, which runs both; --layout NHWC converts all the same"
        )
        return None
    return None if layout == "keep" else Direction("NHWC" if layout == "auto" else layout)


def _count_transposes(model: Model) -> int:
    return sum(node.op == "Transpose" for graph in model.all_graphs() for node in graph)


def _convert(graph: Graph, direction: Direction, result: PassResult) -> None:
    runtime.infer_shapes(graph)
    candidates = Candidates(graph, direction)
    chosen = choose(candidates)
    _report_left(candidates, set(chosen), result)
    if not chosen:
        return
    converter = Converter(candidates, chosen)
    converter.run()
    for node in converter.before:
        result.decline(f"a Transpose stays before {node.op}: {_reason(candidates, node)}", node.name)
    for value in converter.after:
        if value.node.op not in _BORDERS:
            result.decline(
                f"a Transpose stays after {value.node.op}: {_reason(candidates, value.node)}", value.node.name
            )
    result.applied += len(chosen)


def _report_left(candidates: Candidates, chosen: set[Node], result: PassResult) -> None:
    """Ops with a layout attribute that keep a layout that was not asked for."""
    for node, reason in candidates.reasons.items():
        if "data_format" in node.attrs:
            result.decline(reason.reason, node.name)
    for node, plan in candidates.plans.items():
        if "data_format" in plan.attrs and node not in chosen:
            result.decline(_NO_GAIN, node.name)


def _reason(candidates: Candidates, node: Node) -> str:
    if node in candidates.reasons:
        return candidates.reasons[node].reason
    return _NO_GAIN if node in candidates.plans else "it has no counterpart in the other layout"
