"""Ranges that were learnt as moving averages → the constants that freezing left of them."""

from __future__ import annotations

from tfpare.compat.eightbit.fake_quants import FAKE_QUANT
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph, Node, Value


@transform(effect=Effect.EXACT)
def remove_ema(work: Work) -> None:
    """FakeQuantWithMinMaxVars(x, Assign(low, moving average), Assign(high, …)) → FakeQuantWithMinMaxVars(x, low, high).

    That is what is left of fake_quantize_training when the graph was frozen: low and high are constants, and the
    averages that would change them cannot run any more. The FakeQuant keeps its name and attributes.

    Differs: the average has to be one of this constant, node by node; x may be any output of its node; control inputs
    stay; function bodies are looked at too; what nobody reads any more is removed.
    Source: the Graph Transform Tool's remove_ema.
    """
    for graph in work.model().all_graphs():
        for node in [n for n in graph if n.op == FAKE_QUANT]:
            limits = [_frozen_average(graph, v) for v in node.inputs[1:]]
            if all(limits):
                graph.set_inputs(node, (node.inputs[0], *(v for v in limits if v)))
        graph.sweep()


def _frozen_average(graph: Graph, value: Value) -> Value | None:
    """The constant whose moving average `value` would be."""
    assign = value.node
    if assign.op != "Assign" or value in graph.fed:
        return None
    average, merge = assign.inputs[0], assign.inputs[1].node
    if average.constant is None or average in graph.fed or merge.op != "Merge" or len(merge.inputs) != 2:
        return None
    first, later = (v.node for v in merge.inputs)
    return average if _is_first_value(first, average) and _is_update(later, average, first) else None


def _is_first_value(switch: Node, average: Value) -> bool:
    """Switch(Min or Max of something, perhaps with a 0; IsVariableInitialized(average))."""
    if switch.op != "Switch" or switch.inputs[0].node.op not in ("Min", "Max", "Minimum", "Maximum"):
        return False
    asks = switch.inputs[1].node
    return asks.op == "IsVariableInitialized" and asks.inputs == (average,)


def _is_update(update: Node, average: Value, switch: Node) -> bool:
    """average − (average − measured)·(1 − decay)."""
    if update.op != "Sub" or update.inputs[0] != average or update.inputs[1].node.op != "Mul":
        return False
    difference, rate = (v.node for v in update.inputs[1].node.inputs)
    is_rate = rate.op == "Sub" and all(v.constant is not None for v in rate.inputs)
    return is_rate and difference.op == "Sub" and difference.inputs == (average, switch.out(1))
