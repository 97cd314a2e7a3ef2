"""Nodes that treat each of their inputs apart → a node for each."""

from __future__ import annotations

from tfpare.engine.placement import Placement
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult, register

_SINGLE = {"IdentityN": "Identity", "ShapeN": "Shape"}


@register()
def separate_outputs(model: Model, options: PassOptions) -> PassResult:
    """IdentityN(x, z) = Identity(x), Identity(z); ShapeN(x, z) = Shape(x), Shape(z).

    Each of them can then go on its own: an Identity, the shape that is static, and what nobody reads.

    Declines when: it lies in a branch or loop of TF 1, where one input may never come; a caller feeds an output.
    Source: Grappler's model pruner (IdentityN split) and constant folding (MaterializeShapes for ShapeN, constants
    through IdentityN).
    """
    result = PassResult()
    for graph in model.all_graphs():
        nodes = [n for n in graph if n.op in _SINGLE and n not in graph.pinned]
        placement = Placement(graph) if nodes else None
        for node in nodes:
            if any(v.node is node for v in graph.fed):
                result.decline("a caller feeds an output", node.name)
            elif placement is not None and len(node.inputs) > 1 and placement.is_conditional(node):
                result.decline("one of its inputs may never come", node.name)
            else:
                _separate(graph, node)
                result.applied += 1
        graph.sweep()
    return result


def _separate(graph: Graph, node: Node) -> None:
    singles = [_single(graph, node, port, value) for port, value in enumerate(node.inputs)]
    for port, single in enumerate(singles):
        graph.replace_value(Value(node, port), single.out())
    graph.replace_control(node, singles)
    if node in graph.keep:
        graph.keep.update(dict.fromkeys(singles))
    graph.remove(node)


def _single(graph: Graph, node: Node, port: int, value: Value) -> Node:
    attrs = {"T": value.dtype.base}
    if node.op == "ShapeN":
        attrs["out_type"] = node.dtypes[port].base
    return graph.add(
        _SINGLE[node.op],
        (value,),
        attrs,
        name=f"{node.name}/{port}",
        controls=node.controls,
        shapes=(node.shapes[port],),
        device=node.device,
        made_by="separate_outputs",
    )
