"""Entry functions that compute the same → one body, which the others call."""

from __future__ import annotations

from collections.abc import Hashable

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Alias, Model
from tfpare.ir.ops import PASS_THROUGH
from tfpare.ir.types import Attr
from tfpare.passes.base import PassOptions, PassResult, register
from tfpare.passes.merge_duplicates import attr_key


@register(after=("inline_functions", "freeze_variables"))
def share_bodies(model: Model, options: PassOptions) -> PassResult:
    """f(x) = g(x) for two entry functions with equal graphs: only f is optimized and stored, g calls it.

    Keras exports hold the same computation three times, as `serve`, as `serving_default` and as `__call__`, each with
    variables of its own; once these are constants the bodies are seen to be equal.

    Declines when: there are loops of TF 1; arguments, captured objects, order of effects or any node differ.
    Source: none; other tools keep one signature only.
    """
    result = PassResult()
    primaries: dict[Hashable, tuple[Graph, list[Hashable]]] = {}
    kept: list[Graph] = []
    if len(model.graphs) == 1:
        return result
    for graph in model.graphs:
        if graph.has_v1_control_flow:
            result.decline("it has loops of TF 1", graph.name)
            kept.append(graph)
            continue
        keys, outputs = _numbering(graph)
        body = (frozenset(outputs), tuple(sorted(keys[n] for n in graph.keep)), _signature(graph))
        primary, known = primaries.setdefault(body, (graph, outputs))
        if primary is graph or not graph.args:
            kept.append(graph)
            continue
        positions = [known.index(o) for o in outputs]
        model.aliases[graph.name] = Alias(graph.name, graph.args, list(graph.outputs), primary.name, positions)
        graph.clear()
        result.applied += 1
    model.graphs[:] = kept
    return result


def _signature(graph: Graph) -> tuple[Hashable, ...]:
    return tuple((a.dtypes[0].name, a.shapes[0]) for a in graph.args if "_capture" not in a.attrs)


def _numbering(graph: Graph) -> tuple[dict[Node, int], list[Hashable]]:
    """A number per node that is equal for equal computations (within this process), and the outputs in these terms."""
    keys: dict[Node, int] = {}
    forwards: dict[Node, Value] = {}

    def term(value: Value) -> tuple[int, int]:
        while value.node in forwards:
            value = forwards[value.node]
        return keys[value.node], value.index

    for node in graph.topological():
        if node.op in PASS_THROUGH and not node.controls:
            forwards[node] = node.inputs[0]
        inputs = tuple(term(v) for v in node.inputs)
        keys[node] = hash((node.op, node.device, inputs, tuple(sorted(keys[c] for c in node.controls)), _attrs(node)))
    return keys, [term(v) for v in graph.outputs.values()]


def _attrs(node: Node) -> Hashable:
    if node.op == "_Arg":
        capture = node.attrs.get("_capture")
        return ("capture", capture) if capture is not None else ("argument", node.attrs["index"])
    attrs: dict[str, Attr] = {**node.spec.defaults, **node.attrs} if node.spec else node.attrs
    if node.op == "VarHandleOp":
        return attr_key(attrs["shared_name"])
    return tuple((k, attr_key(v)) for k, v in sorted(attrs.items()) if not k.startswith("_"))
