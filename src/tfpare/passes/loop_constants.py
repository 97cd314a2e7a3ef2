"""Constants of TF 1 loops: into the loop, where rules see them, and out again, where they are computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tfpare.engine.placement import Placement
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Attr
from tfpare.passes.base import PassOptions, PassResult, register

# These run after any of their inputs, or tell when a loop goes on: a constant among their inputs stays as it is.
_STAY = frozenset({"Merge", "NextIteration", "Exit", "LoopCond", "Enter", "RefMerge", "RefNextIteration", "RefExit"})


@register(after=("freeze_variables",))
def move_constants_into_loops(model: Model, options: PassOptions) -> PassResult:
    """Enter(c) = c inside the loop, where c is constant and the Enter marks it as equal in every iteration.

    What is computed from constants alone can then be folded. `move_constants_out_of_loops` undoes it at the end.

    Declines when: the loop lies in a branch; a caller feeds the value.
    Source: Grappler's constant folding (constants past Enter).
    """
    result = PassResult()
    for graph in model.all_graphs():
        enters = [n for n in graph if _is_constant_enter(n) and _entered(n.out()).constant is not None]
        frames = _Frames(graph) if enters else None
        for enter in enters:
            read = [r for r in enter.readers if enter.out() in r.inputs and r.op not in _STAY]
            fed = {_entered(enter.out()), enter.inputs[0], enter.out()} & graph.fed
            if not read or fed or enter in graph.pinned:
                continue
            if frames is None or not frames.always_run(frames.of(read[0])):
                result.decline("the loop lies in a branch", enter.name)
                continue
            _move_in(graph, enter, read)
            result.applied += 1
    return result


def _is_constant_enter(node: Node) -> bool:
    return node.op == "Enter" and bool(node["is_constant"])


def _entered(value: Value) -> Value:
    """What comes into a loop, through the loops around it."""
    while _is_constant_enter(value.node):
        value = value.node.inputs[0]
    return value


def _move_in(graph: Graph, enter: Node, readers: list[Node]) -> None:
    value, made_by = _entered(enter.out()), "move_constants_into_loops"
    array = value.constant
    assert array is not None
    const = graph.const(array, name=f"{enter.name}/const", type_=value.dtype, made_by=made_by)
    graph.set_controls(const.node, [enter])
    for reader in readers:
        graph.set_inputs(reader, (const if v == enter.out() else v for v in reader.inputs))


@register(after=("freeze_variables",))
def move_constants_out_of_loops(model: Model, options: PassOptions) -> PassResult:
    """while …: f(c) = Enter(c), while …: f(entered c): a constant is made once, not in every iteration.

    Whoever reads it waits for what the constant waited for, unless another input of the reader comes alive in the same
    iterations. Other invariant nodes stay in the loop: outside they would run, and might fail, where the loop does not.

    Declines when: the loop lies in a branch; a Merge or NextIteration reads the constant; a caller feeds it.
    Source: Grappler's loop optimizer (loop-invariant node motion), for constants.
    """
    result = PassResult()
    for graph in model.all_graphs():
        if any(n.op == "Enter" for n in graph):
            result.applied += _move_out(graph, result)
            graph.sweep()
    return result


@dataclass(slots=True)
class _Frames:
    """In which loops each node of a graph runs, the outer ones first, and which iterations bring it to life."""

    graph: Graph
    _stacks: dict[Node, tuple[str, ...]] = field(default_factory=dict[Node, "tuple[str, ...]"])
    _conditions: dict[Node, frozenset[Node]] = field(default_factory=dict[Node, "frozenset[Node]"])
    _enters: dict[str, list[Node]] = field(default_factory=dict[str, "list[Node]"])
    _placement: Placement = field(init=False)

    def __post_init__(self) -> None:
        self._placement = Placement(self.graph)
        for node in self.graph.topological():
            self._place(node)

    def _place(self, node: Node) -> None:
        sources = {*(v.node for v in node.inputs), *node.controls}
        stack = max((self._stacks.get(s, ()) for s in sources), key=len, default=())
        if node.op in ("Enter", "RefEnter"):
            stack = (*stack, str(node["frame_name"]))
            self._enters.setdefault(stack[-1], []).append(node)
        elif node.op in ("Exit", "RefExit"):
            stack = stack[:-1]
        self._stacks[node] = stack
        if node.op not in _STAY:
            self._conditions[node] = frozenset().union(*self._needed(node))

    def _needed(self, node: Node) -> Iterator[frozenset[Node]]:
        for value in node.inputs:
            yield self.conditions(value)
        for control in node.controls:
            yield self._conditions.get(control, frozenset())

    def of(self, node: Node) -> tuple[str, ...]:
        """Names of the loops around a node."""
        return self._stacks.get(node, ())

    def conditions(self, value: Value) -> frozenset[Node]:
        """The LoopConds that have to be true for the value to come alive."""
        node = value.node
        own = self._conditions.get(node, frozenset[Node]())
        if node.op == "Switch" and value.index == 1 and node.inputs[1].node.op == "LoopCond":
            return own | {node.inputs[1].node}
        return own

    def always_run(self, stack: tuple[str, ...]) -> bool:
        """Whether none of these loops lies in a branch."""
        enters = [e for frame in stack for e in self._enters.get(frame, [])]
        return bool(enters) and not any(self._placement.in_branch(e) for e in enters)

    def entering(self, frame: str) -> Node:
        """An Enter of the loop."""
        return self._enters[frame][0]


def _move_out(graph: Graph, result: PassResult) -> int:
    frames, moved = _Frames(graph), 0
    held = graph.held_nodes()
    for const in [n for n in graph if n.op == "Const" and n.controls and frames.of(n)]:
        if const in held or not const.readers or any(r.op in _STAY for r in const.readers):
            result.decline("a Merge or NextIteration reads it, or a caller does", const.name)
        elif not frames.always_run(frames.of(const)):
            result.decline("the loop lies in a branch", const.name)
        else:
            _move(graph, const, frames)
            moved += 1
    return moved


def _move(graph: Graph, const: Node, frames: _Frames) -> None:
    stack, array = frames.of(const), const.out().constant
    assert array is not None
    made_by = "move_constants_out_of_loops"
    value = graph.const(array, name=f"{const.name}/outside", type_=const.dtypes[0].base, made_by=made_by)
    for frame in stack:
        like = frames.entering(frame)
        attrs: dict[str, Attr] = {**like.attrs, "T": value.dtype, "is_constant": True}
        enter = graph.add("Enter", (value,), attrs, name=f"{const.name}/enter", shapes=(value.shape,), made_by=made_by)
        value = enter.out()
    for reader in list(const.readers):
        _read_outside(graph, const, value, reader, frames)
    graph.remove(const)


def _read_outside(graph: Graph, const: Node, value: Value, reader: Node, frames: _Frames) -> None:
    stack = frames.of(const)
    others = [v for v in reader.inputs if v.node is not const]
    inside = any(frames.of(v.node) == stack and v.node.op not in ("Enter", "Const") for v in others)
    alive = frozenset[Node]().union(*(frames.conditions(v) for v in others))
    waits = [c for c in const.controls if not _is_sure(c, inside, alive)]
    graph.set_inputs(reader, (value if v.node is const else v for v in reader.inputs))
    own = (c for c in reader.controls if c is not const)
    graph.set_controls(reader, (*own, *waits))


def _is_sure(control: Node, inside: bool, alive: Iterable[Node]) -> bool:
    """Whether a reader that has another input from the same loop need not wait for this."""
    if control.op == "Enter":
        return bool(control["is_constant"])
    if control.op == "Merge":
        return inside and any(v.node.op == "NextIteration" for v in control.inputs)
    pivot = control.inputs[0] if control.op == "Identity" and not control.controls else None
    switch = pivot.node if pivot is not None and pivot.index == 1 and pivot.node.op == "Switch" else None
    from_loop = switch is not None and switch.inputs[0].node.op == "Merge"
    return from_loop and switch is not None and switch.inputs[1].node in alive
