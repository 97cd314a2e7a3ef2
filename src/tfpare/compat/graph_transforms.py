"""The Graph Transform Tool's Python call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfpare.compat import driver
from tfpare.compat.work import Work
from tfpare.io import start


def TransformGraph(  # noqa: N802 - the name that scripts import
    input_graph_def: Any, inputs: Iterable[str], outputs: Iterable[str], transforms: Iterable[str] | str
) -> Any:
    """Runs transforms of the Graph Transform Tool on a GraphDef, as `tensorflow.tools.graph_transforms` did.

    Args:
        input_graph_def: the GraphDef; it is not changed.
        inputs: names of the nodes or tensors that callers feed, with or without `:0`.
        outputs: names of those that callers fetch.
        transforms: transform strings, each of one or more calls such as `fold_constants(ignore_errors=true)`.

    Returns:
        A new GraphDef.

    Raises:
        UsageError: an unknown name, transform or argument.
        TfpareError: the graph is damaged, or a transform cannot do what it is asked for.
    """
    start.start_tensorflow()
    work = Work.from_graph_def(input_graph_def, inputs, outputs)
    driver.apply(work, transforms)
    return work.proto()
