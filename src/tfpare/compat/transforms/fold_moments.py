"""Mean and variance of one tensor → one call with both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.ir.types import Func

_MADE_BY = "fold_moments"


class _Moments(NamedTuple):
    """The nodes that compute mean(x), (x − mean)² and the mean of that, variance."""

    mean: Node
    inner: tuple[Node, ...]
    variance: Node

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All, inputs before readers."""
        return self.mean, *self.inner, self.variance


@transform(effect=Effect.EXACT)
def fold_moments(work: Work) -> None:
    """Turns mean(x) and mean((x − mean)²) into the two results of one node MEAN__moments.

    Differs: the node calls a function of the graph, `moments`, that holds the operations as they were, so that
    TensorFlow runs it with the same answers, bit for bit; the original makes a node of an op that exists nowhere, and
    takes any product for a square. What tf.nn.moments writes today is found as well.
    Source: the Graph Transform Tool's fold_moments (a side branch).
    """
    model = work.model()
    functions: dict[str, str] = {}
    for graph in list(model.all_graphs()):
        for found in list(_search(graph)):
            if all(graph.nodes.get(n.name) is n for n in found.nodes):
                _call(model, graph, found, functions)
                graph.sweep()


def _search(graph: Graph) -> Iterator[_Moments]:
    outputs, fed = graph.output_nodes(), {v.node for v in graph.fed}
    for variance in [n for n in graph if n.op == "Mean"]:
        found = _match(variance)
        if found is None or any(n.controls or n in fed or n in graph.pinned for n in found.nodes):
            continue
        alone = all(len(n.readers) == 1 and n not in outputs and n not in graph.keep for n in found.inner)
        if alone and len({n.device for n in found.nodes}) == 1:
            yield found


def _match(variance: Node) -> _Moments | None:
    found = _square_of_difference(variance.inputs[0].node)
    if found is None:
        return None
    x, mean, inner = found
    plain = all(n.inputs[1].constant is not None and not n.inputs[1].node.controls for n in (mean, variance))
    return _Moments(mean, inner, variance) if plain and mean.inputs[0] == x else None


def _square_of_difference(square: Node) -> tuple[Value, Node, tuple[Node, ...]] | None:
    """x, the Mean that is subtracted from it, and the nodes between the Mean and the square."""
    if square.op in ("Mul", "Square") and len(set(square.inputs)) == 1:
        difference, inner = square.inputs[0].node, (square,)
    else:
        difference, inner = square, ()
    if difference.op != ("Sub" if inner else "SquaredDifference"):
        return None
    x, mean = difference.inputs[0], difference.inputs[1].node
    inner = (difference, *inner)
    if mean.op == "StopGradient":
        mean, inner = mean.inputs[0].node, (mean, *inner)
    return (x, mean, inner) if mean.op == "Mean" else None


def _call(model: Model, graph: Graph, found: _Moments, functions: dict[str, str]) -> None:
    """Puts a call in the place of the nodes."""
    x, mean, variance = found.mean.inputs[0], found.mean, found.variance
    attrs = {
        "Tin": (x.dtype.base,),
        "Tout": (mean.dtypes[0], variance.dtypes[0]),
        "f": Func(_function(model, graph, found, functions)),
    }
    name, shapes = f"{mean.name}__moments", (mean.shapes[0], variance.shapes[0])
    call = graph.add("PartitionedCall", [x], attrs, name=name, shapes=shapes, device=mean.device, made_by=_MADE_BY)
    for port, old in enumerate((mean, variance)):
        for reader in [r for r in old.readers if r not in found.nodes]:
            graph.set_inputs(reader, (call.out(port) if v == old.out() else v for v in reader.inputs))
        for key in [k for k, v in graph.outputs.items() if v == old.out()]:
            graph.outputs[key] = call.out(port)
        graph.replace_control(old, [call])
        if old in graph.keep:
            del graph.keep[old]
            graph.keep[call] = None


def _function(model: Model, graph: Graph, found: _Moments, functions: dict[str, str]) -> str:
    """The name of a function that computes these moments; equal ones share it."""
    parts: list[object] = [found.mean.inputs[0].dtype.base]
    for node in found.nodes:
        parts += [node.op, sorted((k, str(v)) for k, v in node.attrs.items()), node.device]
        parts += [v.constant.tolist() for v in node.inputs[1:] if v.constant is not None]
    key = repr(parts)
    if key not in functions:
        functions[key] = model.library.fresh_name("moments")
        model.library.graphs[functions[key]] = _body(functions[key], graph, found)
    return functions[key]


def _body(name: str, graph: Graph, found: _Moments) -> Graph:
    body, x = Graph(name, graph.registry), found.mean.inputs[0]
    type_ = x.dtype.base
    body.args.append(body.add("_Arg", (), {"T": type_, "index": 0}, name="x", dtypes=(type_,)))
    values = {x: body.args[0].out()}
    for node in found.nodes:
        for value in node.inputs:
            array = value.constant
            if value not in values and array is not None:
                values[value] = body.const(array, name=f"{node.op}/axes", type_=value.dtype)
        inputs = [values[v] for v in node.inputs]
        values[node.out()] = body.add(node.op, inputs, node.attrs, name=node.op, device=node.device).out()
    body.outputs = {"mean": values[found.mean.out()], "variance": values[found.variance.out()]}
    return body
