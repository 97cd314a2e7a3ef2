"""Object-based SavedModels (TF 2, Keras): reading.

Callers enter through functions: signature wrappers and the public functions of the saved object. Each becomes a graph.
Its captures (the last arguments) stay arguments, except variables and captured constants: these become `VarHandleOp`
and `Const` nodes, so that passes see no difference to a TF 1 graph; the writer turns what is left back into captures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io.checkpoint import Checkpoint
from tfpare.io.functions import Library
from tfpare.io.node_checks import check_node
from tfpare.io.saved_model import SavedModelFiles, asset_paths
from tfpare.io.validate import check_functions
from tfpare.ir.graph import Graph, Node, functions_of
from tfpare.ir.model import Model, Signature, Variable
from tfpare.ir.types import Attr

VALUE_KEY = "VARIABLE_VALUE"
# Per-layer traces of Keras 2: private call functions of every layer, reachable from the model's own functions anyway.
_LAYER_MARK = "_tf_keras_"
_LAYER_FUNCTION = "call_and_return_all_conditional_losses"


@dataclass(slots=True)
class V2Origin:
    """What the writer needs.

    Attributes:
        captures: of each entered function, the saved-object ids behind its last arguments, as read.
        roots: names of the functions that became graphs.
        dropped: public functions that are left out, with the reason.
        checkpoint_keys: saved-object id of a variable → its key in the checkpoint.
    """

    files: SavedModelFiles
    meta_graph: Any
    captures: dict[str, list[int]]
    roots: list[str]
    dropped: dict[str, str] = field(default_factory=dict[str, str])
    checkpoint: Checkpoint | None = None
    checkpoint_keys: dict[int, str] = field(default_factory=dict[int, str])


def read_meta_graph(files: SavedModelFiles, meta_graph: Any, signatures: dict[str, Signature]) -> Model:
    """Reads an object-based MetaGraph.

    Raises:
        UnsupportedModel: variables files are missing, or the object graph is damaged.
    """
    origin, objects = read_origin(files, meta_graph), meta_graph.object_graph_def
    library = Library(meta_graph.graph_def.library.function)
    check_functions(library.protos)
    model = Model(
        files.path, "saved_model_v2", [], library, {}, signatures, tuple(meta_graph.meta_info_def.tags), origin
    )
    library.separate(objects.concrete_functions)
    for name in _public_functions(objects, library, origin):
        graph = library.entry(name)
        origin.captures[name] = list(objects.concrete_functions[name].bound_inputs)
        _bind_captures(graph, model, origin)
        model.graphs.append(graph)
        origin.roots.append(name)
    return model


def read_origin(files: SavedModelFiles, meta_graph: Any) -> V2Origin:
    """The saved objects and where their values are; no function yet."""
    asset_paths(files, meta_graph)
    objects = meta_graph.object_graph_def
    _check_objects(objects)
    origin = V2Origin(files, meta_graph, {}, [], checkpoint=_checkpoint(files, objects))
    if origin.checkpoint is not None:
        origin.checkpoint_keys = _checkpoint_keys(objects, origin.checkpoint)
    return origin


def _check_objects(objects: Any) -> None:
    """Every number by which objects refer to each other has to be one of theirs."""
    referred = [c.node_id for o in objects.nodes for c in (*o.children, *o.dependencies)]
    referred += [i for f in objects.concrete_functions.values() for i in f.bound_inputs]
    for one in objects.nodes:
        for saveable in one.saveable_objects.values():
            referred += [saveable.save_function, saveable.restore_function]
    if referred and not 0 <= min(referred) <= max(referred) < len(objects.nodes):
        raise UnsupportedModel("The saved object refers to a part that it does not have. saved_model.pb is damaged.")


def _checkpoint(files: SavedModelFiles, objects: Any) -> Checkpoint | None:
    has_variables = any(o.WhichOneof("kind") == "variable" for o in objects.nodes)
    if not has_variables and not files.variables_prefix.with_name("variables.index").is_file():
        return None
    return Checkpoint(files.variables_prefix)


def _checkpoint_keys(objects: Any, checkpoint: Checkpoint) -> dict[int, str]:
    """Walks the saved objects and the checkpoint's objects side by side, by child names."""
    stored = checkpoint.object_graph()
    if stored is None:
        return {}
    keys: dict[int, str] = {}
    seen: set[tuple[int, int]] = set()
    stack = [(0, 0)]
    while stack:
        pair = stack.pop()
        if pair in seen:
            continue
        seen.add(pair)
        if pair[1] >= len(stored.nodes):
            raise UnsupportedModel("The checkpoint refers to an object that it does not have. It is damaged.")
        saved, kept = objects.nodes[pair[0]], stored.nodes[pair[1]]
        for attribute in kept.attributes:
            if attribute.name == VALUE_KEY:
                keys.setdefault(pair[0], attribute.checkpoint_key)
        children = {c.local_name: c.node_id for c in kept.children}
        stack.extend((c.node_id, children[c.local_name]) for c in saved.children if c.local_name in children)
    return keys


def _public_functions(objects: Any, library: Library, origin: V2Origin) -> list[str]:
    """Concrete functions that callers can reach: signatures and functions of user objects, no table initialisers."""
    found: dict[str, None] = {}
    for owner in objects.nodes:
        kind = owner.WhichOneof("kind")
        if kind == "user_object" and owner.user_object.identifier == "signature_map":
            # The first of several equal functions holds the body, the others call it.
            for child in sorted(owner.children, key=lambda c: c.local_name != "serving_default"):
                name = objects.nodes[child.node_id].bare_concrete_function.concrete_function_name
                found[name] = None
    for index, owner in enumerate(objects.nodes):
        if owner.WhichOneof("kind") != "user_object" or _is_inner_layer(index, owner):
            continue
        for child in owner.children:
            target = objects.nodes[child.node_id]
            if target.WhichOneof("kind") == "function":
                for name in _inference_variants(target, library, origin):
                    found[name] = None
    missing = [n for n in found if n not in library or n not in objects.concrete_functions]
    if missing:
        raise UnsupportedModel(f"The saved object refers to function {missing[0]!r}, which the model does not have.")
    return list(found)


def _is_inner_layer(index: int, owner: Any) -> bool:
    traced = any(c.local_name == _LAYER_FUNCTION for c in owner.children)
    return index > 0 and (traced or owner.user_object.identifier.startswith(_LAYER_MARK))


def _inference_variants(target: Any, library: Library, origin: V2Origin) -> list[str]:
    """A function's traces; those that update state are left out where another trace of it does not (training=True)."""
    names = [n for n in target.function.concrete_functions if n in library]
    writing = {n for n in names if _writes(library.graph(n), library, set())}
    if len(writing) < len(names):
        for name in writing:
            origin.dropped[name] = "a training variant: it updates variables that the inference variant only reads"
        return [n for n in names if n not in writing]
    return names


def _writes(graph: Graph, library: Library, seen: set[str]) -> bool:
    if graph.name in seen:
        return False
    seen.add(graph.name)
    for node in graph:
        if node.op.startswith(("AssignVariable", "AssignAdd", "AssignSub", "ResourceScatter", "ResourceApply")):
            return True
        if any(f.name in library and _writes(library.graph(f.name), library, seen) for f in functions_of(node)):
            return True
    return False


def _bind_captures(graph: Graph, model: Model, origin: V2Origin) -> None:
    captures = origin.captures[graph.name]
    if len(captures) > len(graph.args):
        raise UnsupportedModel(f"Function {graph.name!r} has fewer arguments than captured objects.")
    objects = origin.meta_graph.object_graph_def
    for arg, object_id in list(zip(graph.args[len(graph.args) - len(captures) :], captures, strict=True)):
        saved = objects.nodes[object_id]
        arg.attrs["_capture"] = object_id
        if saved.WhichOneof("kind") == "variable" and object_id in origin.checkpoint_keys:
            _bind_variable(graph, arg, object_id, saved.variable, model, origin)
        elif saved.WhichOneof("kind") == "constant":
            _bind_constant(graph, arg, saved.constant.operation, origin)


def object_key(object_id: int) -> str:
    """The variable key of a saved object."""
    return f"object/{object_id}"


def _bind_variable(graph: Graph, arg: Node, object_id: int, saved: Any, model: Model, origin: V2Origin) -> None:
    assert origin.checkpoint is not None
    key = object_key(object_id)
    variable = variable_of(key, saved, origin.checkpoint_keys[object_id], origin.checkpoint)
    model.variables[key] = variable
    attrs: dict[str, Attr] = {"dtype": variable.dtype, "shape": variable.shape, "shared_name": key}
    handle = graph.add("VarHandleOp", (), attrs, name=f"{arg.name}/handle")
    _bind(graph, arg, handle)


def variable_of(key: str, saved: Any, stored: str, checkpoint: Checkpoint) -> Variable:
    """The variable that a `SavedVariable` proto describes, stored under `stored`."""
    dtype, shape = attr_io.dtype_from_enum(saved.dtype), attr_io.shape_from_proto(saved.shape)
    label = stored.partition("/.ATTRIBUTES")[0]
    return Variable(key, dtype, shape, lambda: checkpoint.tensor(stored), stored, label=label)


def _bind_constant(graph: Graph, arg: Node, operation: str, origin: V2Origin) -> None:
    constants = graph.registry("Const")
    assert constants is not None
    for node_def in origin.meta_graph.graph_def.node:
        if node_def.name == operation and node_def.op == "Const":
            check_node(node_def, constants)
            value = attr_io.decode(node_def.attr["value"])
            type_ = attr_io.dtype_from_enum(node_def.attr["dtype"].type)
            _bind(graph, arg, graph.const(value, name=f"{arg.name}/const", type_=type_).node)  # type: ignore[arg-type]
            return


def _bind(graph: Graph, arg: Node, substitute: Node) -> None:
    graph.replace_value(arg.out(), substitute.out())
    graph.replace_control(arg, [substitute])
