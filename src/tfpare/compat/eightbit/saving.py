"""New variables in the save and restore ops of a TF 1 saver."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfpare.errors import UnsupportedModel
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, Attr, dtype

_FIXED_INPUTS = 3  # prefix, names, slices; then one input a variable


def save_variables(graph: Graph, variables: Sequence[Node]) -> None:
    """Lets the graph's SaveV2 store float variables under their names, and its `restore_all` restore them.

    A graph without SaveV2 stays as it is.

    Raises:
        UnsupportedModel: there are several SaveV2, or one without `restore_all` beside it, or without constant names.
    """
    savers = [n for n in graph if n.op == "SaveV2"]
    if not savers or not variables:
        return
    if len(savers) > 1:
        raise UnsupportedModel(f"The graph has {len(savers)} SaveV2 ops; new variables need exactly one.")
    save = savers[0]
    scope = save.name.rpartition("/")[0]
    restore_all = graph.nodes.get(f"{scope}/restore_all" if scope else "restore_all")
    if restore_all is None:
        raise UnsupportedModel(f"Nothing is called restore_all beside {save.name!r}: new variables are not restored.")
    _extend(graph, save, variables)
    for variable in variables:
        _restore(graph, save.inputs[0], scope, variable, restore_all)


def _extend(graph: Graph, save: Node, variables: Sequence[Node]) -> None:
    names, slices = (v.constant for v in save.inputs[1:_FIXED_INPUTS])
    if names is None or slices is None:
        raise UnsupportedModel(f"The names that {save.name!r} saves under are not constant.")
    added = [v.name.encode() for v in variables]
    inputs = [
        save.inputs[0],
        graph.const(_strings([*names.tolist(), *added]), name=f"{save.name}/all_tensor_names"),
        graph.const(_strings([*slices.tolist(), *(b"" for _ in added)]), name=f"{save.name}/all_shape_and_slices"),
        *save.inputs[_FIXED_INPUTS:],
        *(v.out() for v in variables),
    ]
    save.attrs["dtypes"] = tuple(v.dtype.base for v in inputs[_FIXED_INPUTS:])
    graph.set_inputs(save, inputs)


def _restore(graph: Graph, prefix: Value, scope: str, variable: Node, restore_all: Node) -> None:
    base = f"{scope}/RestoreV2_{variable.name}" if scope else f"RestoreV2_{variable.name}"
    names, slices = (
        graph.const(_strings([text]), name=f"{base}/{name}")
        for text, name in ((variable.name.encode(), "tensor_names"), (b"", "shape_and_slices"))
    )
    attrs: dict[str, Attr] = {"dtypes": (dtype("float32"),)}
    restored = graph.add("RestoreV2", [prefix, names, slices], attrs, name=base)
    attrs = {"T": dtype("float32")}
    assign = graph.add("Assign", [variable.out(), restored.out()], attrs, name=f"{base}/Assign")
    graph.set_controls(restore_all, [*restore_all.controls, assign])


def _strings(items: list[bytes]) -> Array:
    array = np.empty(len(items), object)
    array[:] = items
    return array
