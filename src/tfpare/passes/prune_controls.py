"""Control edges that order nothing → gone."""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.ir.ops import CONTROL_FLOW_V1
from tfpare.passes.base import PassOptions, PassResult, register

_ASSERTS = frozenset({"Assert", "Print", "PrintV2"})


@register(after=("freeze_variables",))
def prune_controls(model: Model, options: PassOptions) -> PassResult:
    """A control edge from a node without effect, which waits for none itself, orders nothing.

    Nodes without effect also stop being control outputs of functions. Assert and Print go when asked
    (`--remove-asserts`).

    Declines when: the source, or anything that it depends on, has a side effect or belongs to TF 1 control flow (where
    a control edge places a node in its branch or loop).
    Source: Grappler's dependency optimizer; the Graph Transform Tool's remove_control_dependencies, which drops all.
    """
    result = PassResult()
    for graph in model.all_graphs():
        if options.remove_asserts:
            result.applied += _remove_asserts(graph)
        ordered = _ordered(graph, model)
        for node in graph:
            kept = [c for c in node.controls if c in ordered or node in graph.pinned]
            result.applied += len(node.controls) - len(kept)
            if len(kept) < len(node.controls):
                graph.set_controls(node, kept)
            elif kept:
                result.decline("it orders a side effect", node.name)
        for node in [n for n in graph.keep if n not in ordered or not _matters(n, model)]:
            del graph.keep[node]
        graph.sweep()
    return result


def _matters(node: Node, model: Model) -> bool:
    return node.is_effectful or _calls_effect(node, model)


def _calls_effect(node: Node, model: Model) -> bool:
    return node.op in ("While", "If", "Case", "StatefulPartitionedCall") or node.op == "NoOp"


def _ordered(graph: Graph, model: Model) -> set[Node]:
    """Nodes that have an effect or come after one."""
    found: set[Node] = set()
    for node in graph.topological():
        own = _matters(node, model) and node.op != "NoOp"
        waits = any(v.node in found for v in node.inputs) or any(c in found for c in node.controls)
        if own or waits or node.op in CONTROL_FLOW_V1 or node.op == "TensorArrayV3":
            found.add(node)
    return found


def _remove_asserts(graph: Graph) -> int:
    doomed = [n for n in graph if n.op in _ASSERTS and n not in graph.pinned]
    for node in doomed:
        if node.op == "Print":
            graph.replace_value(node.out(), node.inputs[0])
        graph.replace_control(node, node.controls)
        graph.keep.pop(node, None)
        if not node.readers and node not in graph.output_nodes():
            graph.remove(node)
    return len(doomed)
