"""Nodes of some ops → their first input."""

from __future__ import annotations

from typing import Any

from tfpare.compat.bodies import CONTROL, Body, bodies, control_inputs, data_inputs
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.errors import UnsupportedModel
from tfpare.io import graphdef
from tfpare.ir.ops import CONTROL_FLOW_V1, is_effectful


@transform(effect=None)
def remove_nodes(work: Work, *, op: tuple[str, ...], max_inputs: int = 1) -> None:
    """Lets readers of the nodes of the given ops read their first inputs instead, where they have at most `max_inputs`.

    Differs: what a removed node waits for, its readers wait for. A node stays, and a note says why, if its input has
    another type (a Cast), if it belongs to TF 1 control flow, or if control edges need it to be in its branch. Function
    bodies take part. Constants and the like that only removed nodes read go, too.
    Source: the Graph Transform Tool's remove_nodes.
    """
    for body in bodies(work):
        kept = work.required_nodes() if body.is_main else body.control_results()
        doomed: list[str] = []
        sources: list[str] = []
        reasons: dict[str, str] = {}
        for node in body.nodes:
            if node.op not in op or node.name in kept or not 1 <= len(data_inputs(node)) <= max_inputs:
                continue
            reason = _obstacle(body, node)
            if reason:
                reasons[node.name] = reason
            else:
                sources.extend(graphdef.node_name(r) for r in node.input)
                _bypass(body, node)
                doomed.append(node.name)
        body.remove(doomed)
        _remove_unread(body, sources, kept)
        work.notes.extend(f"{name!r} was not removed: {reason}." for name, reason in reasons.items())


def _remove_unread(body: Body, names: list[str], kept: set[str]) -> None:
    """Removes what only removed nodes read, as long as it has no effect of its own."""
    doomed: dict[str, None] = {}
    while names:
        name = names.pop()
        node = body.by_name.get(name)
        if node is None or name in doomed or name in kept or not body.is_unread(name):
            continue
        if node.op.startswith("Placeholder") or is_effectful(node.op, body.spec(node)):
            continue
        doomed[name] = None
        names.extend(graphdef.node_name(r) for r in node.input)
        body.set_inputs(node, (), ())
    body.remove(doomed)


def _obstacle(body: Body, node: Any) -> str:
    """Why a node has to stay; empty if nothing keeps it.

    Raises:
        UnsupportedModel: another output than the first is read: nothing could take its place.
    """
    source, ports = data_inputs(node)[0], body.ports_read(node.name)
    if node.op in CONTROL_FLOW_V1:
        return "it belongs to a loop or branch"
    if max(ports, default=0) > 0:
        raise UnsupportedModel(f"{node.op} {node.name!r} cannot be removed: its output {max(ports)} is read as well.")
    before, after = body.type_of(source), body.output_types(node)
    if before is not None and after and before.base != after[0].base:
        return f"it turns {before.base} into {after[0].base}"
    producer = body.by_name.get(graphdef.node_name(source))
    if CONTROL in ports and producer is not None and producer.op in ("Switch", "RefSwitch"):
        return "control edges from it place nodes in a branch"
    is_met = any(r.op in ("Merge", "RefMerge") for r in body.readers_of(node.name))
    if control_inputs(node) and (is_met or _is_result(body, node.name)):
        return "it waits for other nodes, which its reader could not wait for"
    return ""


def _is_result(body: Body, name: str) -> bool:
    return any(graphdef.node_name(r) == name for r in body.results())


def _bypass(body: Body, node: Any) -> None:
    source, waits = data_inputs(node)[0], control_inputs(node)
    if waits:
        body.wait_also(node.name, waits)
    body.redirect(node.name, lambda port: f"^{graphdef.node_name(source)}" if port == CONTROL else source)
    body.set_inputs(node, (), ())
