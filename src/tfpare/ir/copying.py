"""Copying nodes between graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfpare.ir.graph import Graph, Node, Value


def copy_nodes(
    source: Graph, target: Graph, bindings: Mapping[Value, Value], name: Callable[[Node], str]
) -> tuple[dict[Node, Node], dict[Value, Value]]:
    """Copies every node of `source` but its arguments into `target`.

    Args:
        source: stays as it is.
        target: gets the copies.
        bindings: values of `source` (its arguments) → the values of `target` that stand for them.
        name: the copy's wanted name.

    Returns:
        Node → copy, and value → value of `target` for outputs.
    """
    copies: dict[Node, Node] = {}
    for node in source.topological():
        if node.op != "_Arg":
            copies[node] = target.add(
                node.op,
                (),
                node.attrs,
                name=name(node),
                dtypes=node.dtypes,
                shapes=node.shapes,
                device=node.device,
                made_by=node.made_by,
            )
    for node, copy in copies.items():
        target.set_inputs(copy, (bindings.get(v) or Value(copies[v.node], v.index) for v in node.inputs))
        target.set_controls(copy, (copies[c] for c in node.controls if c in copies))
    values = {v: bindings.get(v) or Value(copies[v.node], v.index) for v in source.outputs.values()}
    return copies, values


def clone(source: Graph, name: str) -> Graph:
    """A function body under another name."""
    target = Graph(name, source.registry)
    bindings: dict[Value, Value] = {}
    for arg in source.args:
        node = target.add("_Arg", (), arg.attrs, name=arg.name, dtypes=arg.dtypes, shapes=arg.shapes)
        target.args.append(node)
        bindings[arg.out()] = node.out()
    copies, values = copy_nodes(source, target, bindings, lambda n: n.name)
    target.outputs = {key: values[value] for key, value in source.outputs.items()}
    target.keep = {copies[n]: None for n in source.keep if n in copies}
    return target
