"""Control edges that order nothing → gone."""

from __future__ import annotations

from collections.abc import Callable

from tfpare.ir.graph import Graph, Node, functions_of
from tfpare.ir.model import REWRITTEN_CALLERS, Model
from tfpare.ir.ops import CONTROL_FLOW_V1
from tfpare.passes.base import PassOptions, PassResult, register

_ASSERTS = frozenset({"Assert", "Print", "PrintV2"})


@register(after=("freeze_variables",))
def prune_controls(model: Model, options: PassOptions) -> PassResult:
    """A control edge from a node without effect, which waits for none itself, orders nothing.

    Nodes without effect also stop being control outputs of functions. Assert and Print go when asked
    (`--remove-asserts`).

    Declines when: the source, or anything that it depends on, has a side effect or belongs to TF 1 control flow (where
    a control edge places a node in its branch or loop); it reads a variable or table before something is written.
    Source: Grappler's dependency optimizer; the Graph Transform Tool's remove_control_dependencies, which drops all.
    """
    result, effects = PassResult(), Effects(model)
    for graph in model.all_graphs():
        if options.remove_asserts:
            result.applied += _remove_asserts(graph)
        after_effect = drop_controls(graph, effects, result)
        for node in [n for n in graph.keep if n not in after_effect]:
            del graph.keep[node]
        graph.sweep()
    return result


def drop_controls(graph: Graph, effects: Effects, result: PassResult) -> set[Node]:
    """Removes the control edges of one graph that order nothing; returns the nodes that come after an effect."""
    order = graph.topological()
    after_effect = _spread(order, effects.matters)
    after_state = _spread(order, _reads_state)
    before_effect = _lead(order, effects.matters)
    for node in graph:
        kept = [
            c
            for c in node.controls
            if node in graph.pinned or c in after_effect or (c in after_state and node in before_effect)
        ]
        result.applied += len(node.controls) - len(kept)
        if len(kept) < len(node.controls):
            graph.set_controls(node, kept)
        elif kept:
            result.decline("it orders a side effect", node.name)
    return after_effect


class Effects:
    """Which nodes have an effect; a loop, branch or call has one if a function that it may run has one."""

    def __init__(self, model: Model) -> None:
        self._library = model.library
        self._known: dict[str, bool] = {}

    def matters(self, node: Node) -> bool:
        """Whether the node has an effect, or belongs to TF 1 control flow, where control edges place nodes."""
        if node.op in REWRITTEN_CALLERS:
            return any(self._function(f.name) for f in functions_of(node))
        return (node.is_effectful and node.op != "NoOp") or node.op in CONTROL_FLOW_V1 or node.op == "TensorArrayV3"

    def _function(self, name: str) -> bool:
        if name not in self._library:
            return True
        if name not in self._known:
            self._known[name] = True  # a function that calls itself
            self._known[name] = any(self.matters(n) for n in self._library.graph(name))
        return self._known[name]


def _reads_state(node: Node) -> bool:
    """Whether its result depends on a variable or table that something else may write."""
    return any(v.dtype.name == "resource" or v.dtype.is_ref for v in node.inputs)


def _spread(order: list[Node], is_source: Callable[[Node], bool]) -> set[Node]:
    """The sources and all that comes after one."""
    found: set[Node] = set()
    for node in order:
        if is_source(node) or any(v.node in found for v in node.inputs) or any(c in found for c in node.controls):
            found.add(node)
    return found


def _lead(order: list[Node], is_target: Callable[[Node], bool]) -> set[Node]:
    """The targets and all that comes before one."""
    found: set[Node] = set()
    for node in reversed(order):
        if is_target(node) or any(r in found for r in node.readers):
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
