"""An attribute → the same under another name."""

from __future__ import annotations

from tfpare.compat.registry import transform
from tfpare.compat.work import Work


@transform(effect=None)
def rename_attribute(work: Work, *, old_attribute_name: str, new_attribute_name: str, op_name: str = "*") -> None:
    """Renames an attribute of all nodes, or of those of one op; a node that has the new one keeps its value.

    Differs: the nodes of functions take part.
    Source: the Graph Transform Tool's rename_attribute.
    """
    for nodes in work.node_lists():
        for node_def in nodes:
            if op_name not in ("*", node_def.op) or old_attribute_name not in node_def.attr:
                continue
            if new_attribute_name not in node_def.attr:
                node_def.attr[new_attribute_name].CopyFrom(node_def.attr[old_attribute_name])
            if new_attribute_name != old_attribute_name:
                del node_def.attr[old_attribute_name]
