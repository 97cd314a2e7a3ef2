"""What stays of an object-based SavedModel: captures, variables and functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tfpare.io.v2 import V2Origin, object_key
from tfpare.ir.graph import Graph, Value
from tfpare.ir.model import Alias, Model
from tfpare.ir.types import Attr, Func


@dataclass(slots=True)
class Plan:
    """What stays.

    Attributes:
        captures: root function → positions (among its captures) that stay.
        variables: saved-object ids of variables that stay, and their keys in the checkpoint.
        functions: names of concrete functions that stay.
        same: variable → another one that has the same key, and takes its place (a loader restores one object a key).
    """

    captures: dict[str, list[int]]
    variables: dict[int, str]
    functions: set[str]
    same: dict[int, int]


def make_plan(model: Model, origin: V2Origin) -> Plan:
    """Turns the remaining handles of a model's graphs back into captures, and says what is left of the saved object."""
    objects = origin.meta_graph.object_graph_def
    opaque = {
        n
        for n in objects.concrete_functions
        if n not in origin.captures and n not in origin.dropped and _is_resource_function(objects, n)
    }
    captures: dict[str, list[int]] = {}
    used: set[int] = set()
    for graph in model.graphs:
        captures[graph.name] = _bind_back(graph, origin.captures[graph.name])
        used |= {origin.captures[graph.name][k] for k in captures[graph.name]}
    for name, alias in model.aliases.items():
        captures[name] = _call_primary(alias, origin, captures[alias.primary], model)
        used |= {origin.captures[name][k] for k in captures[name]}
    for name in opaque:
        used |= set(objects.concrete_functions[name].bound_inputs)
    variables = {i for i in sorted(used) if objects.nodes[i].WhichOneof("kind") == "variable"}
    keys = {i: _checkpoint_key(model, origin, i) for i in variables}
    first = {key: i for i, key in sorted(keys.items(), reverse=True)}
    same = {i: first[key] for i, key in keys.items() if key and first[key] != i}
    return Plan(captures, keys, opaque | set(captures), same)


def _checkpoint_key(model: Model, origin: V2Origin, object_id: int) -> str:
    variable = model.variables.get(object_key(object_id))
    return variable.checkpoint_key if variable is not None else origin.checkpoint_keys.get(object_id, "")


def _call_primary(alias: Alias, origin: V2Origin, primary_kept: list[int], model: Model) -> list[int]:
    """Gives an alias the body `return primary(arguments)`; returns which of its captures stay."""
    primary = model.library.graph(alias.primary)
    own = origin.captures[alias.name]
    needed = [origin.captures[alias.primary][k] for k in primary_kept]
    kept = [own.index(object_id) for object_id in needed]
    graph = Graph(alias.name, primary.registry)
    first = len(alias.args) - len(own)
    for arg in [*alias.args[:first], *(alias.args[first + k] for k in kept)]:
        graph.args.append(graph.add("_Arg", (), arg.attrs, name=arg.name, dtypes=arg.dtypes, shapes=arg.shapes))
    attrs: dict[str, Attr] = {
        "Tin": tuple(a.dtypes[0] for a in graph.args),
        "Tout": tuple(v.dtype.base for v in primary.outputs.values()),
        "f": Func(primary.name),
    }
    stateful = any(n.spec is not None and n.spec.is_stateful for n in primary if n.op != "_Arg")
    op = "StatefulPartitionedCall" if stateful else "PartitionedCall"
    call = graph.add(op, (a.out() for a in graph.args), attrs, name=_as_node_name(primary.name))
    for key, position in zip(alias.results, alias.positions, strict=True):
        value = list(primary.outputs.values())[position]
        identity = graph.add("Identity", [Value(call, position)], {"T": value.dtype.base}, name=key)
        graph.outputs[key] = identity.out()
    if primary.keep:
        graph.keep[call] = None
    model.library.graphs[alias.name] = graph
    return kept


def _as_node_name(function: str) -> str:
    """A name that nodes may have: functions may be called `inference_<lambda>_7`."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", function).strip("_") or "call"


def _is_resource_function(objects: Any, name: str) -> bool:
    """Whether a function creates, initialises, saves or restores a resource such as a table."""
    owners: set[int] = set()
    for node in objects.nodes:
        if node.WhichOneof("kind") == "resource" or node.saveable_objects:
            owners |= {c.node_id for c in node.children}
            for saveable in node.saveable_objects.values():
                owners |= {saveable.save_function, saveable.restore_function}
    for index in owners:
        node = objects.nodes[index]
        if name in node.function.concrete_functions or node.bare_concrete_function.concrete_function_name == name:
            return True
    return False


def _bind_back(graph: Graph, captures: list[int]) -> list[int]:
    """Variables that remain become arguments again; captures that nobody uses go. Returns what stays."""
    first = len(graph.args) - len(captures)
    handles = {str(n.attrs.get("shared_name")): n for n in graph if n.op == "VarHandleOp"}
    kept: list[int] = []
    for position, object_id in enumerate(captures):
        arg = graph.args[first + position]
        handle = handles.pop(object_key(object_id), None)
        if handle is not None:
            graph.replace_value(handle.out(), arg.out())
            graph.replace_control(handle, [])
            graph.keep.pop(handle, None)
            graph.remove(handle)
        if arg.readers or arg in graph.output_nodes():
            kept.append(position)
    keep_args = [*graph.args[:first], *(graph.args[first + k] for k in kept)]
    for arg in [a for a in graph.args if a not in keep_args]:
        graph.remove(arg)
    graph.args = keep_args
    return kept
