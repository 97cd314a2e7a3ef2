"""What a branch of TF 1 knows → constants in that branch."""

from __future__ import annotations

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Array, Attr
from tfpare.passes.base import PassOptions, PassResult, register

_STORED_TWICE_BYTES = 4096  # a larger constant goes into a branch only where it does not stay outside as well


@register(after=("freeze_variables",))
def fold_switches(model: Model, options: PassOptions) -> PassResult:
    """Switch(p, p) = (false, true): in the branch that p takes, p is known; Switch(c, p) = (c, c) for a constant c.

    The constants wait for their side of the Switch, so that they come alive in its branch alone.

    Declines when: a caller feeds a value; the Switch waits for something, or belongs to a loop; a large constant would
    be stored twice.
    Source: Grappler's constant folding (SimplifySwitch, constants that wait for a side of a Switch).
    """
    result = PassResult()
    for graph in model.all_graphs():
        held = {v.node for v in graph.fed} | graph.pinned
        for node in [n for n in graph if n.op == "Switch" and n not in held]:
            known = _known(graph, node)
            if known is None or _is_loops(node):
                continue
            reason = _obstacle(node)
            if reason:
                result.decline(reason, node.name)
                continue
            for port, array in enumerate(known):
                result.applied += _fold_side(graph, node.out(port), array, held)
        graph.sweep()
    return result


def _known(graph: Graph, node: Node) -> tuple[Array, Array] | None:
    """What comes out of both sides; None where that is not known."""
    data, predicate = node.inputs
    if data == predicate:
        return np.array(False), np.array(True)
    array = None if data in graph.fed else data.constant
    return None if array is None else (array, array)


def _is_loops(node: Node) -> bool:
    return node.inputs[1].node.op == "LoopCond"


def _obstacle(node: Node) -> str:
    data = node.inputs[0]
    if node.controls or data.node.controls:
        return "it waits for something"
    array = data.constant
    sides = {v for r in node.readers for v in r.inputs if v.node is node}
    twice = len(sides) > 1 or list(data.node.readers) != [node]
    large = array is not None and array.nbytes > _STORED_TWICE_BYTES
    return "a large constant would be stored twice" if large and twice else ""


def _fold_side(graph: Graph, side: Value, array: Array, held: set[Node]) -> int:
    """Lets the readers of one side read a constant, but for those that only mark the side."""
    readers = [r for r in side.node.readers if side in r.inputs and (r in held or not _only_marks(graph, r))]
    if not readers and side not in graph.outputs.values():
        return 0
    const = graph.const(array, name=f"{side.node.name}/known", type_=side.dtype.base, made_by="fold_switches")
    graph.set_controls(const.node, [_pivot(graph, side)])
    for reader in readers:
        graph.set_inputs(reader, (const if v == side else v for v in reader.inputs))
    for key, value in graph.outputs.items():
        if value == side:
            graph.outputs[key] = const
    return 1


def _only_marks(graph: Graph, node: Node) -> bool:
    """Whether it is an Identity that others wait for, while nobody reads its value."""
    read = node.out() in graph.outputs.values() or any(node.out() in r.inputs for r in node.readers)
    return node.op == "Identity" and not read


def _pivot(graph: Graph, side: Value) -> Node:
    """An Identity that comes alive with this side of every Switch on the predicate, there already or new."""
    predicate, made_by = side.node.inputs[1], "fold_switches"
    attrs: dict[str, Attr] = {"T": predicate.dtype.base}
    switches = [r for r in predicate.node.readers if r.op == "Switch" and r.inputs == (predicate, predicate)]
    switch = next((s for s in switches if not s.controls and s not in graph.pinned), None)
    if switch is None:
        name = f"{side.node.name}/switch"
        switch = graph.add("Switch", (predicate, predicate), attrs, name=name, device=side.node.device, made_by=made_by)
    own = switch.out(side.index)
    found = (r for r in switch.readers if r.inputs == (own,) and not r.controls and _only_marks(graph, r))
    pivot = next(found, None)
    if pivot is None:
        pivot = graph.add("Identity", (own,), attrs, name=f"{switch.name}/pivot", made_by=made_by)
    return pivot
