"""Nodes that no output needs → gone; inputs inside the graph → placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfpare import runtime
from tfpare.compat.bodies import CONTROL, Body, bodies
from tfpare.compat.placeholders import Wanted, read_wishes
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import TfpareError
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef, whole_graph
from tfpare.ir.ops import is_effectful
from tfpare.ir.types import UNKNOWN, DType, Shape, dtype

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
_SCALAR_IS_UNKNOWN_UP_TO = 21  # GraphDef version: Placeholders of these read the shape [] as unknown


@transform(effect=Effect.EXACT)
def strip_unused_nodes(
    work: Work,
    *,
    type: str | None = None,
    shape: str | None = None,
    name: tuple[str, ...] = (),
    type_for_name: tuple[str, ...] = (),
    shape_for_name: tuple[str, ...] = (),
) -> None:
    """Keeps what the outputs need, up to the inputs; an input that is computed becomes a Placeholder.

    `type` and `shape` say which, or `name`, `type_for_name` and `shape_for_name` for each input of its own.

    Differs: where nothing is said, type and shape are the ones that the graph gives that tensor; -1 is an unknown
    dimension. With several inputs to cut off, `type` and `shape` speak for those of which the graph does not tell
    otherwise. Several outputs of one node as inputs become a Placeholder each, behind an IdentityN of the node's name.
    A node of which another output is needed, too, stays, and so does a PlaceholderWithDefault, which callers need not
    feed. An input that the graph does not have is an error. Functions lose the nodes that they do not need; functions
    that nobody calls go.
    Source: the Graph Transform Tool's strip_unused_nodes.
    """
    wishes = read_wishes(work, type, shape, name, type_for_name, shape_for_name)
    main, *functions = bodies(work)
    needed, entered = _needed(work, main)
    cut = [n for n in dict.fromkeys(map(graphdef.node_name, work.inputs)) if _is_cut(main, n, entered)]
    tensors = [t for t in work.inputs if graphdef.node_name(t) in cut]
    wanted = wishes.decide({t: _known(work, main, t) for t in tensors})
    main.remove(n for n in list(main.by_name) if n not in needed)
    for node_name in cut:
        _cut(work, main, node_name, {graphdef.flat_port(t)[1]: w for t, w in wanted.items() if _is_of(t, node_name)})
    work.notes.extend(wishes.notes)
    for body in functions:
        _strip_function(body)


def _is_of(tensor: str, node: str) -> bool:
    return graphdef.node_name(tensor) == node


def _is_cut(body: Body, name: str, entered: set[str]) -> bool:
    return name not in entered and body.by_name[name].op not in _PLACEHOLDERS


def _needed(work: Work, body: Body) -> tuple[set[str], set[str]]:
    """Nodes that are needed, and those of them of which the inputs are needed too."""
    needed, entered = {graphdef.node_name(t) for t in work.inputs}, set[str]()
    for signature in work.signatures.values():
        fed, fetched = _tensors(signature.inputs), _tensors(signature.outputs)
        _walk(body, fetched, {body.parse(t) for t in fed}, needed, entered)
    _walk(body, [*work.initialisers(), *_defaults(work, body)], set(), needed, entered)
    return needed, entered


def _tensors(side: Mapping[str, Any]) -> list[str]:
    return [t for info in side.values() for t in info.tensors]


def _defaults(work: Work, body: Body) -> list[str]:
    names = [graphdef.node_name(t) for t in work.inputs]
    return [n for n in names if body.by_name[n].op == "PlaceholderWithDefault"]


def _walk(body: Body, wanted: list[str], fed: set[tuple[str, int]], needed: set[str], entered: set[str]) -> None:
    fed_nodes, seen = {name for name, _ in fed}, set[str]()
    stack = list(wanted)
    while stack:
        name, port = body.parse(stack.pop())
        if name not in body.by_name:
            continue
        needed.add(name)
        is_fed = (name, port) in fed or (port == CONTROL and name in fed_nodes)
        if not is_fed and name not in seen:
            seen.add(name)
            entered.add(name)
            stack.extend(body.by_name[name].input)


def _known(work: Work, body: Body, tensor: str) -> Wanted:
    """Type and shape that the graph gives a tensor, as far as they can be told."""
    type_ = body.type_of(tensor)
    return Wanted(type_.base if type_ is not None else None, _shape(work, body, tensor))


def _shape(work: Work, body: Body, tensor: str) -> Shape:
    """The shape that TensorFlow infers from what lies before a tensor."""
    part = whole_graph.new_graph_def()
    part.versions.CopyFrom(work.proto().versions)
    part.library.CopyFrom(work.proto().library)
    before: set[str] = set()
    _walk(body, [tensor], set(), before, set())
    for node in body.nodes:
        if node.name in before:
            part.node.add().CopyFrom(node)
    try:
        graph = Work.from_graph_def(part, (), [tensor]).model().graphs[0]
        runtime.infer_shapes(graph)
    except TfpareError:  # an attribute is missing; then callers say what the shape is, or nobody does
        return UNKNOWN
    return next(iter(graph.outputs.values())).shape


def _cut(work: Work, body: Body, name: str, ports: dict[int, Wanted]) -> None:
    node = body.by_name[name]
    body.set_inputs(node, (), ())
    node.Clear()
    node.name = name
    if set(ports) == {0}:
        _make_placeholder(work, node, ports[0])
        return
    sources: dict[int, str] = {}
    for port, wanted in sorted(ports.items()):
        sources[port] = body.fresh_name(f"{name}/port_{port}")
        _make_placeholder(work, body.add("Placeholder", sources[port]), wanted)
    some = min(ports)  # what nobody reads is a copy of what somebody does
    listed = [p if p in ports else some for p in range(max(ports) + 1)]
    node.op = "IdentityN"
    attr_io.encode(tuple(_type(ports[p]) for p in listed), node.attr["T"])
    body.set_inputs(node, [sources[p] for p in listed], ())


def _make_placeholder(work: Work, node: Any, wanted: Wanted) -> None:
    node.op = "Placeholder"
    attr_io.encode(_type(wanted), node.attr["dtype"])
    is_old = work.proto().versions.producer <= _SCALAR_IS_UNKNOWN_UP_TO
    attr_io.encode(Shape(()) if is_old and wanted.shape.dims is None else wanted.shape, node.attr["shape"])


def _type(wanted: Wanted) -> DType:
    return wanted.type or dtype("float32")


def _strip_function(body: Body) -> None:
    effects = [n.name for n in body.nodes if is_effectful(n.op, body.spec(n))]
    needed: set[str] = set()
    _walk(body, [*body.results(), *body.control_results(), *effects], set(), needed, set())
    body.remove(n for n in list(body.by_name) if n not in needed)
