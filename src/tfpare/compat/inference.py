"""`optimize_for_inference` under its old name and arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tfpare.compat import driver
from tfpare.compat.work import Work
from tfpare.errors import UsageError, nearest
from tfpare.io import attrs, start
from tfpare.ir.model import Model
from tfpare.ir.types import Array
from tfpare.passes.base import PassOptions
from tfpare.pipeline import make_pipeline


def optimize_for_inference(
    input_graph_def: Any,
    input_node_names: Iterable[str],
    output_node_names: Iterable[str],
    placeholder_type_enum: int | Sequence[int],
    toco_compatible: bool = False,
    placeholder_to_const_names: Iterable[str] | None = None,
) -> Any:
    """Makes a frozen graph ready for inference, as `tensorflow.python.tools.optimize_for_inference_lib` did.

    Differs: everything that the preset `fast` of `tfpare optimize` does is done; resizing and mirror padding are not
    fused into convolutions (`TransformGraph` with `fuse_convolutions` does that).

    Args:
        input_graph_def: a GraphDef without variables; it is not changed.
        input_node_names: nodes that callers feed.
        output_node_names: nodes that callers fetch.
        placeholder_type_enum: `DataType` of the placeholders that are made where an input is computed in the graph, one
            for all or one for each; the graph's own type counts where it can be told.
        toco_compatible: makes no difference: only public ops are written.
        placeholder_to_const_names: PlaceholderWithDefault nodes that get their default for good.

    Returns:
        A new GraphDef.

    Raises:
        UsageError: a name that the graph does not have.
        TfpareError: the graph is damaged.
    """
    del toco_compatible
    start.start_tensorflow()
    inputs = list(input_node_names)
    work = Work.from_graph_def(input_graph_def, inputs, output_node_names)
    driver.apply(work, _strip(inputs, placeholder_type_enum))
    model = work.prune()
    bind = {name: _default(model, name) for name in placeholder_to_const_names or ()}
    make_pipeline("fast", options=PassOptions(bind=bind)).run(model)
    return work.proto()


def _strip(inputs: Sequence[str], types: int | Sequence[int]) -> str:
    each = [types] * len(inputs) if isinstance(types, int) else list(types)
    if len(each) != len(inputs):
        raise UsageError(f"placeholder_type_enum has {len(each)} types for {len(inputs)} inputs.")
    return f"strip_unused_nodes(type={attrs.dtype_from_enum(each[0])})" if len(set(each)) == 1 else "strip_unused_nodes"


def _default(model: Model, name: str) -> Array:
    nodes = model.graphs[0].nodes
    if name not in nodes:
        raise UsageError(f"The graph has no node {name!r}.{nearest(name, nodes)}")
    node = nodes[name]
    value = node.inputs[0].constant if node.op == "PlaceholderWithDefault" else None
    if value is None:
        raise UsageError(f"{name!r} is a {node.op} and no PlaceholderWithDefault of a constant.")
    return value
