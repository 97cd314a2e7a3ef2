"""Whose fault a failure is: a rewrite that failed on a graph which TensorFlow does not accept either is no bug here."""

from __future__ import annotations

from collections.abc import Iterable

from tfpare import runtime
from tfpare.errors import InvariantError, UnsupportedModel
from tfpare.io.validate import reachable_graphs
from tfpare.ir.model import Model

_SHOWN_CHARS = 400  # TensorFlow appends whole nodes to its messages


def fault_of_input(models: Iterable[Model]) -> UnsupportedModel | None:
    """Why TensorFlow refuses a model, None where it accepts every graph.

    Asked only after a failure: the answer costs an import of all graphs, which passes make anyway, but of others.

    Args:
        models: read anew, not rewritten.
    """
    for model in models:
        for graph in reachable_graphs(model):
            try:
                runtime.infer_shapes(graph)
            except InvariantError as error:
                text = " ".join(str(error).split())[:_SHOWN_CHARS]
                return UnsupportedModel(f"{model.path}: {text} The model is damaged, or of another TensorFlow version.")
    return None
