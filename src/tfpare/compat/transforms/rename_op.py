"""An op → another one."""

from __future__ import annotations

from tfpare.compat.bodies import bodies
from tfpare.compat.registry import transform
from tfpare.compat.work import Work


@transform(effect=None)
def rename_op(work: Work, *, old_op_name: str, new_op_name: str) -> None:
    """Gives all nodes of one op another op and changes nothing else.

    Differs: the nodes of functions take part; references inside functions, which name outputs, follow the new op's
    names of outputs.
    Source: the Graph Transform Tool's rename_op.
    """
    for body in bodies(work):
        for node_def in [n for n in body.nodes if n.op == old_op_name]:
            ports = body.references_to(node_def.name)
            node_def.op = new_op_name
            if not body.is_main and body.spec(node_def) is not None:
                body.respell(node_def.name, {ref: body.spell(node_def.name, port) for ref, port in ports.items()})
