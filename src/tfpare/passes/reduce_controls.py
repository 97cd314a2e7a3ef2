"""Control edges that other edges imply, and nodes that only pass control edges on → gone."""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.ir.ops import CONTROL_FLOW_V1
from tfpare.passes.base import PassOptions, PassResult, register

# A path through these says nothing: a Merge runs after any of its inputs, the others change the loop iteration.
_OPAQUE = CONTROL_FLOW_V1 - {"Switch", "RefSwitch"}
_SWITCHES = frozenset({"Switch", "RefSwitch"})
# A longer search costs more than an edge does when the model runs.
_MOST_VISITED = 2000


@register(after=("prune_controls",))
def reduce_controls(model: Model, options: PassOptions) -> PassResult:
    """a → b → c and a → c = a → b → c: an edge goes where a longer path orders the same two nodes.

    A node that nobody reads for its value, and a NoOp, hands its control edges to those who wait for it, where this
    makes no more edges than before.

    Declines when: the path leads through a Merge or the frame of a loop; the node has an effect, marks the branch of a
    Switch or is an output.
    Source: Grappler's dependency optimizer (transitive reduction, conversion to NoOp, bypass of NoOp and Identity).
    """
    result = PassResult()
    for graph in model.all_graphs():
        held = graph.held_nodes()
        for node in reversed(graph.topological()):
            if node not in held and _only_passes_on(node) and _is_smaller(node):
                graph.replace_control(node, _sources(node))
                graph.remove(node)
                result.applied += 1
        result.applied += _reduce(graph)
        graph.sweep()
    return result


def _only_passes_on(node: Node) -> bool:
    waits = bool(node.readers) and all(all(v.node is not node for v in r.inputs) for r in node.readers)
    free = (node.op == "NoOp" or not node.is_effectful) and node.op not in CONTROL_FLOW_V1
    marks = any(v.node.op in _SWITCHES for v in node.inputs)
    plain = not any(r.op in CONTROL_FLOW_V1 for r in node.readers) and not node.op.startswith(("_Arg", "Placeholder"))
    return waits and free and plain and not marks and not _runs_functions(node)


def _runs_functions(node: Node) -> bool:
    return node.spec is None or any(k in ("func", "list(func)") for k in node.spec.attr_kinds.values())


def _sources(node: Node) -> list[Node]:
    return list(dict.fromkeys((*(v.node for v in node.inputs), *node.controls)))


def _is_smaller(node: Node) -> bool:
    ins, outs = len(_sources(node)), len(node.readers)
    return ins * outs <= ins + outs


def _reduce(graph: Graph) -> int:
    position = {n: k for k, n in enumerate(graph.topological())}
    removed = 0
    for node in graph:
        if node.controls and node.op not in _OPAQUE and node not in graph.pinned:
            kept = [c for c in node.controls if not _is_implied(c, node, position)]
            removed += len(node.controls) - len(kept)
            if len(kept) < len(node.controls):
                graph.set_controls(node, kept)
    return removed


def _is_implied(control: Node, node: Node, position: dict[Node, int]) -> bool:
    """Whether another way leads from `control` to `node`."""
    if any(v.node is control for v in node.inputs):
        return True
    earliest, seen = position[control], set[Node]()
    stack = [s for s in _sources(node) if s is not control]
    while stack and len(seen) < _MOST_VISITED:
        source = stack.pop()
        if source in seen or source.op in _OPAQUE or position[source] <= earliest:
            continue
        seen.add(source)
        if control in _sources(source):
            return True
        stack.extend(_sources(source))
    return False
