"""Placeholders that nobody feeds, or that the user binds → constants."""

from __future__ import annotations

import numpy as np

from tfpare.errors import UsageError, nearest
from tfpare.ir.graph import Graph, Value
from tfpare.ir.model import Model, Signature
from tfpare.passes.base import PassOptions, PassResult, register


@register()
def bind_placeholders(model: Model, options: PassOptions) -> PassResult:
    """PlaceholderWithDefault(d) = d where no signature feeds it; `--bind NAME=VALUE` does the same to any placeholder.

    A bound placeholder leaves the signatures that listed it.

    Declines when: any signature lists the placeholder (another signature may rely on its default).
    Source: the Graph Transform Tool's remove_nodes and TensorFlow's convert_placeholder_to_const.
    """
    result = PassResult()
    unknown = dict(options.bind)
    for graph in model.graphs:
        for name, value in options.bind.items():
            if name in graph.nodes:
                unknown.pop(name, None)
                _bind(graph, model, name, value, result)
        for node in [n for n in graph if n.op == "PlaceholderWithDefault"]:
            if node.out() in graph.fed:
                result.decline("a signature feeds it", node.name)
            elif node not in graph.pinned:
                graph.replace_value(node.out(), node.inputs[0])
                graph.replace_control(node, [node.inputs[0].node])
                result.applied += 1
        graph.sweep()
    for name in unknown:
        raise UsageError(f"--bind: no placeholder {name!r}.{nearest(name, _placeholders(model))}")
    return result


def _placeholders(model: Model) -> list[str]:
    return [n.name for g in model.graphs for n in g if n.op.startswith("Placeholder")]


def _bind(graph: Graph, model: Model, name: str, value: object, result: PassResult) -> None:
    node = graph.nodes[name]
    target = node.dtypes[0].numpy
    try:
        array = np.asarray(value, target)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"--bind {name}: {value!r} is no {node.dtypes[0]}: {error}.") from error
    const = graph.const(array, name=f"{name}/bound", type_=node.dtypes[0].base)
    graph.fed.discard(node.out())
    graph.replace_value(Value(node, 0), const)
    graph.replace_control(node, [const.node])
    result.applied += 1
    result.notes.append(f"{name!r} is bound to {value!r}: signatures no longer list it")
    for key, signature in list(model.signatures.items()):
        inputs = {k: i for k, i in signature.inputs.items() if i.tensors[0].partition(":")[0] != name}
        model.signatures[key] = Signature(key, inputs, signature.outputs, signature.method)
