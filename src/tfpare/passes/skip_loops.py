"""Loops that never run → their initial values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tfpare import runtime
from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.model import FunctionLibrary, Model
from tfpare.ir.types import Array, Attr, Func
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.passes.fold_constants import FOLDABLE

_LARGEST_BYTES = 4096  # a loop's condition compares numbers; larger values are not worth computing here
_BACK = ("NextIteration", "RefNextIteration")


@register(after=("freeze_variables",))
def skip_loops(model: Model, options: PassOptions) -> PassResult:
    """While(x) = x where the condition is false for the initial values; likewise loops of TF 1.

    Declines when: the condition is true at first or depends on a value that is not constant; it has an effect; a caller
    feeds a value of the loop.
    Source: Grappler's loop optimizer (zero-trip loops), for conditions that are one comparison.
    """
    result = PassResult()
    for graph in model.all_graphs():
        for node in list(graph):
            if node in graph.pinned or graph.nodes.get(node.name) is not node:
                continue
            if node.op in ("While", "StatelessWhile"):
                _skip_while(graph, node, model.library, result)
            elif node.op == "LoopCond":
                _skip_frame(graph, node, result)
        graph.sweep()
    return result


@dataclass(slots=True)
class _Start:
    """Values at the start of a loop.

    Attributes:
        known: values that are given.
        frame: name of the TF 1 loop whose first iteration is meant; None outside loops.
    """

    graph: Graph
    known: Mapping[Value, Array] = field(default_factory=dict[Value, "Array"])
    frame: str | None = None

    def value(self, value: Value) -> Array | None:
        """What `value` is then; None where that is not known."""
        node = value.node
        if value in self.known:
            return self.known[value]
        if value in self.graph.fed or node in self.graph.pinned:
            return None
        if value.constant is not None:
            return value.constant
        if node.op == "Merge":
            enter = _first(node)
            inside = enter is not None and enter["frame_name"] == self.frame and value.index == 0
            return self._enter(enter) if enter is not None and inside else None
        if node.op == "Enter":
            return self._enter(node) if node["frame_name"] == self.frame else None
        return self._computed(value)

    def _enter(self, enter: Node) -> Array | None:
        """A value from outside the loop, where nothing is known of this loop or of another one around it."""
        return _Start(self.graph).value(enter.inputs[0])

    def _computed(self, value: Value) -> Array | None:
        node, arrays = value.node, list[Array]()
        if node.op not in FOLDABLE:
            return None
        for one in node.inputs:
            array = self.value(one)
            if array is None or array.nbytes > _LARGEST_BYTES:
                return None
            arrays.append(array)
        try:
            return runtime.evaluate(node, arrays)[value.index]
        except RuntimeError:
            return None


def _is_false(array: Array | None) -> bool:
    return array is not None and array.shape == () and array.dtype == bool and not array


def _first(merge: Node) -> Node | None:
    """The Enter of a loop's Merge."""
    enters = [v.node for v in merge.inputs if v.node.op == "Enter"]
    back = any(v.node.op in _BACK for v in merge.inputs)
    return enters[0] if back and len(merge.inputs) == 2 and enters else None


def _skip_while(graph: Graph, node: Node, library: FunctionLibrary, result: PassResult) -> None:
    func = node.attrs["cond"]
    if not isinstance(func, Func) or func.name not in library:
        return
    cond = library.graph(func.name)
    known = {a.out(): v.constant for a, v in zip(cond.args, node.inputs, strict=True) if v not in graph.fed}
    start = _Start(cond, {v: a for v, a in known.items() if a is not None})
    if not _is_false(start.value(next(iter(cond.outputs.values())))):
        result.decline("the condition is not known to be false at first", node.name)
    elif any(n.is_effectful or functions_of(n) for n in cond) or any(v.node is node for v in graph.fed):
        result.decline("its condition has an effect, or a caller feeds it", node.name)
    else:
        ends = [_pass_on(graph, node.out(k), v, node.controls) for k, v in enumerate(node.inputs)]
        graph.replace_control(node, ends or node.controls)
        if node in graph.keep:
            graph.keep.update(dict.fromkeys(node.controls))
        graph.remove(node)
        result.applied += 1


def _skip_frame(graph: Graph, loop_cond: Node, result: PassResult) -> None:
    switches = [r for r in loop_cond.readers if r.op == "Switch" and r.inputs[1].node is loop_cond]
    enters = {s: e for s in switches if s.inputs[0].node.op == "Merge" and (e := _first(s.inputs[0].node)) is not None}
    frames = {str(e["frame_name"]) for e in enters.values()}
    start = _Start(graph, frame=next(iter(frames), None))
    if len(enters) != len(switches) or len(frames) != 1 or not _is_false(start.value(loop_cond.inputs[0])):
        result.decline("the condition is not known to be false at first", loop_cond.name)
        return
    exits = [(e, enters[s]) for s in switches for e in s.readers if e.op == "Exit" and e.inputs[0] == s.out(0)]
    inside = _condition_part(graph, next(iter(frames)), switches)
    held = {v.node for v in graph.fed} | graph.pinned
    matters = any(n.is_effectful or functions_of(n) or n in held for n in inside)
    if matters or any(e in held for e, _ in exits):
        result.decline("its condition has an effect, or a caller feeds it", loop_cond.name)
        return
    for node, enter in exits:
        end = _pass_on(graph, node.out(), enter.inputs[0], (*enter.controls, *node.controls))
        graph.replace_control(node, [end])
    result.applied += bool(exits)


def _condition_part(graph: Graph, frame: str, switches: Iterable[Node]) -> set[Node]:
    """What runs in a loop before the condition is known."""
    enters = [n for n in graph if n.op == "Enter" and n["frame_name"] == frame]
    return _after(enters) - _after(switches)


def _after(nodes: Iterable[Node]) -> set[Node]:
    """The nodes and all that depends on one in the same iteration."""
    found: set[Node] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node not in found and node.op not in _BACK:
            found.add(node)
            stack.extend(node.readers)
    return found


def _pass_on(graph: Graph, old: Value, new: Value, controls: tuple[Node, ...]) -> Node:
    attrs: dict[str, Attr] = {"T": new.dtype.base}
    node = graph.add(
        "Identity", (new,), attrs, name=f"{old.node.name}/initial", controls=controls, made_by="skip_loops"
    )
    graph.replace_value(old, node.out())
    return node
