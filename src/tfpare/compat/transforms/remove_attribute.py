"""An attribute → gone."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work


@transform(effect=None)
def remove_attribute(work: Work, *, attribute_name: str, op_name: str = "*") -> None:
    """Removes an attribute from all nodes, or from those of one op.

    Differs: the nodes of functions take part.
    Source: the Graph Transform Tool's remove_attribute.
    """
    for nodes in work.node_lists():
        for node_def in nodes:
            if op_name in ("*", node_def.op) and attribute_name in node_def.attr:
                del node_def.attr[attribute_name]
