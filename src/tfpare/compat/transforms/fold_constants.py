"""Constant expressions → their values, with what follows from that."""

from __future__ import annotations

from typing import Any

from tfpare import runtime
from tfpare.compat.registry import transform
from tfpare.compat.specialising import separate_bodies
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel, UsageError
from tfpare.io.declared_shapes import declared_shapes
from tfpare.ir.graph import Graph, Node
from tfpare.ir.model import Model
from tfpare.ir.types import Shape
from tfpare.passes.base import MAX_FOLDED_BYTES, PassOptions

PASSES = ("bind_placeholders", "push_constants", "prune_branches", "fold_constants")
RULES = (
    "remove_identity",
    "remove_identity_n",
    "remove_neutral_element",
    "remove_neutral_float_element",
    "fold_multiplication_by_zero",
    "fold_shape_slice",
    "simplify_reshape_target",
    "remove_redundant_reshape",
    "remove_redundant_cast",
    "remove_redundant_pad",
    "remove_redundant_slice",
    "remove_redundant_squeeze",
    "remove_redundant_tile",
    "remove_redundant_transpose",
    "remove_zero_bias",
    "remove_single_split",
    "merge_concat_constants",
)
_MAX_ROUNDS = 4  # a round exists for constants that rules uncovered and the passes after them evaluated


@transform(effect=Effect.ROUNDING)
def fold_constants(
    work: Work,
    *,
    clear_output_shapes: bool = True,
    exclude_op: tuple[str, ...] = (),
    exclude_node: tuple[str, ...] = (),
    max_constant_size_in_bytes: int = MAX_FOLDED_BYTES,
) -> None:
    """Removes what the outputs do not need and evaluates what does not depend on the inputs, also inside functions.

    Static shapes count as constants, branches with constant predicates are decided, and operations that return their
    input (x · 1, Identity, …) go. A PlaceholderWithDefault that is named as input becomes a Placeholder; one that is
    not has its default. Nodes whose name or op is excluded stay as they are.

    Differs: a constant output becomes one node of its name, where the original keeps the expression and adds a copy;
    partly known shapes, predicates, neutral operations and function bodies are folded too; inputs in the middle of the
    graph and unknown ops are no errors; constants that are much larger than what they replace are left as expressions
    (a repeated value is stored once), files and random numbers are never read. With clear_output_shapes=false the
    declared shapes count where they say more than TensorFlow finds out, and contradictions are an error as before.
    Source: the Graph Transform Tool's fold_constants.
    """
    if not work.outputs:
        raise UsageError("fold_constants needs outputs: nothing would be left of the graph.")
    declared = {} if clear_output_shapes else declared_shapes(work.proto())
    model = work.prune()
    for graph in model.graphs:
        _require_feeds(graph)
    _trust(model, declared)
    separate_bodies(model)
    pinned = _pin(model, frozenset(exclude_op), frozenset(exclude_node))
    options = PassOptions(max_folded_bytes=max_constant_size_in_bytes)
    for _ in range(_MAX_ROUNDS):
        nodes = work.count_nodes()
        work.simplify(PASSES, RULES, options)
        if work.count_nodes() == nodes:
            break
    for graph, node in pinned:
        graph.pinned.discard(node)
    work.prune()


def _require_feeds(graph: Graph) -> None:
    """PlaceholderWithDefault that is an input → Placeholder."""
    for value in [v for v in graph.fed if v.node.op == "PlaceholderWithDefault"]:
        old = value.node
        attrs = {"dtype": old.dtypes[0].base, "shape": old["shape"]}
        new = graph.add("Placeholder", (), attrs, name=old.name, shapes=old.shapes, device=old.device)
        graph.fed.remove(value)
        graph.fed.add(new.out())
        graph.replace_value(value, new.out())
        graph.replace_control(old, [new])
        graph.keep.pop(old, None)
        graph.remove(old)
        graph.rename(new, value.node.name)
    graph.sweep()


def _trust(model: Model, declared: dict[str, list[Shape]]) -> None:
    """Adds the shapes that nodes of the main graph declare to those that TensorFlow infers."""
    for graph in model.graphs if declared else ():
        for node in graph:
            if node.op.startswith("Placeholder"):
                _merge(node, declared.get(node.name, []))
        runtime.infer_shapes(graph)
        for node in graph:
            _merge(node, declared.get(node.name, []))


def _merge(node: Node, shapes: list[Shape]) -> None:
    found: list[Any] = list(node.shapes)
    for port, shape in enumerate(shapes[: len(found)]):
        if not shape.is_compatible(found[port]):
            raise UnsupportedModel(
                f"Node {node.name!r} declares the shape {shape} for output {port}, but it is {found[port]}. "
                "Leave clear_output_shapes=false out."
            )
        found[port] = found[port].merge(shape)
    node.shapes = tuple(found)


def _pin(model: Model, ops: frozenset[str], names: frozenset[str]) -> list[tuple[Graph, Node]]:
    """Keeps excluded nodes from being folded, bypassed or merged."""
    found = [(g, n) for g in model.all_graphs() for n in g if n not in g.pinned and (n.op in ops or n.name in names)]
    for graph, node in found:
        graph.pinned.add(node)
    return found
