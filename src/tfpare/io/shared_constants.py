"""Large constants that several functions hold → one function without arguments that returns the constant.

A GraphDef has no other place that several function bodies can read a constant from. TensorFlow inlines the call when it
loads the model, so at run time every body sees a plain constant again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import FunctionLibrary
from tfpare.ir.types import Func
from tfpare.passes.merge_duplicates import digest

_WORTH_BYTES = 1024  # below this the call costs more bytes than the constant


def share_constants(graphs: Iterable[Graph], library: FunctionLibrary) -> list[Graph]:
    """Moves constants that occur in more than one graph into functions; returns these functions."""
    holders: dict[Hashable, list[tuple[Graph, Node]]] = {}
    for graph in graphs:
        for node in graph:
            value = node.out().constant if node.op == "Const" else None
            if (
                value is not None
                and value.nbytes >= _WORTH_BYTES
                and value.dtype != object
                and node not in graph.pinned
            ):
                holders.setdefault((node.dtypes[0].name, digest(value)), []).append((graph, node))
    shared: list[Graph] = []
    for found in holders.values():
        if len(found) > 1:
            shared.append(_share(found, library, library.fresh_name))
    return shared


def _share(found: list[tuple[Graph, Node]], library: FunctionLibrary, fresh: Callable[[str], str]) -> Graph:
    first = found[0][1]
    body = Graph(fresh("tfpare_constant"), found[0][0].registry)
    value = first.out().constant
    assert value is not None
    body.outputs["value"] = body.const(value, name="value", type_=first.dtypes[0])
    library.graphs[body.name] = body
    for graph, node in found:
        call = graph.add(
            "PartitionedCall",
            (),
            {"Tin": (), "Tout": (first.dtypes[0],), "f": Func(body.name)},
            name=f"{node.name}/shared",
            controls=node.controls,
            shapes=node.shapes,
            made_by="share_constants",
        )
        graph.replace_value(node.out(), call.out())
        graph.replace_control(node, [call])
        graph.keep.pop(node, None)
        name = node.name
        graph.remove(node)
        graph.rename(call, name)
    return body
