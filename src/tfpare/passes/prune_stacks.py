"""Stacks of TF 1 loops that nobody pops from → gone."""

from __future__ import annotations

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult, register

_STACKS = frozenset({"StackV2", "Stack"})
_PUSHES = frozenset({"StackPushV2", "StackPush"})
_CARRIERS = frozenset({"Enter", "RefEnter", "Switch", "RefSwitch", "Identity", "RefIdentity"})


@register()
def prune_stacks(model: Model, options: PassOptions) -> PassResult:
    """StackPush(stack, x) = x, where nothing else uses the stack: what is left of gradients in an exported loop.

    Declines when: something pops from the stack, closes it or may do so; a caller feeds or fetches it.
    Source: Grappler's loop optimizer (RemoveStackOps).
    """
    result = PassResult()
    for graph in model.all_graphs():
        for stack in [n for n in graph if n.op in _STACKS]:
            pushes = _pushes(graph, stack.out())
            if pushes is None:
                result.decline("the stack is used", stack.name)
                continue
            for push in pushes:
                _replace(graph, push)
            result.applied += len(pushes)
        graph.sweep()
    return result


def _pushes(graph: Graph, handle: Value) -> list[Node] | None:
    """The nodes that push on a stack; None where something else uses it."""
    node, found = handle.node, list[Node]()
    if node in graph.pinned or node in graph.keep or handle in graph.fed or handle in graph.outputs.values():
        return None
    for reader in [r for r in node.readers if handle in r.inputs]:
        if reader.op in _PUSHES and reader.inputs[0] == handle and reader.inputs[1] != handle:
            if reader in graph.pinned or reader.out() in graph.fed:
                return None
            found.append(reader)
        elif reader.op in _CARRIERS:
            for port in range(len(reader.dtypes)):
                more = _pushes(graph, reader.out(port))
                if more is None:
                    return None
                found.extend(more)
        else:
            return None
    return found


def _replace(graph: Graph, push: Node) -> None:
    """An Identity takes the place of a push, with what it waits for."""
    value = push.inputs[1]
    kept = graph.add(
        "Identity",
        (value,),
        {"T": value.dtype.base},
        name=f"{push.name}/pushed",
        controls=push.controls,
        shapes=(value.shape,),
        device=push.device,
        made_by="prune_stacks",
    )
    graph.replace_value(push.out(), kept.out())
    graph.replace_control(push, [kept])
    graph.keep.pop(push, None)
    graph.remove(push)
