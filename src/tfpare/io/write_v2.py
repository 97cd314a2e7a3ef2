"""Writing object-based SavedModels: the saved object stays as it was, with other function bodies, fewer variables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tfpare.io import checkpoint as checkpoint_io
from tfpare.io import graphdef, saver
from tfpare.io.functions import called_functions
from tfpare.io.shared_constants import share_constants
from tfpare.io.v2 import VALUE_KEY, V2Origin
from tfpare.io.v2_plan import Plan, make_plan
from tfpare.io.write_v1 import serialize, write_library
from tfpare.ir.model import Model
from tfpare.ir.types import Array


def write(model: Model, out: Path) -> None:
    """Writes `saved_model.pb` and `variables/` into the directory `out`."""
    from tensorflow.core.protobuf import saved_model_pb2

    origin: V2Origin = model.origin
    plan = make_plan(model, origin)
    proto = saved_model_pb2.SavedModel()
    proto.saved_model_schema_version = origin.files.proto.saved_model_schema_version
    meta_graph = proto.meta_graphs.add()
    meta_graph.meta_info_def.CopyFrom(origin.meta_graph.meta_info_def)
    meta_graph.meta_info_def.ClearField("stripped_op_list")
    meta_graph.meta_info_def.stripped_default_attrs = True
    meta_graph.asset_file_def.extend(origin.meta_graph.asset_file_def)
    for key, collection in origin.meta_graph.collection_def.items():
        meta_graph.collection_def[key].CopyFrom(collection)
    for name, signature in origin.meta_graph.signature_def.items():
        if name in model.signatures or name.startswith("__saved_model"):
            meta_graph.signature_def[name].CopyFrom(signature)
    keeps_saver = _has_other_saveables(origin)
    new_ids = _write_objects(origin, plan, meta_graph.object_graph_def, model)
    _write_main_graph(model, origin, plan, meta_graph, keeps_saver)
    _write_checkpoint(origin, plan, meta_graph.object_graph_def, new_ids, out, keeps_saver)
    (out / "saved_model.pb").write_bytes(serialize(proto))


def _has_other_saveables(origin: V2Origin) -> bool:
    """Whether the checkpoint holds more than variables, such as the contents of mutable tables."""
    return any(
        node.saveable_objects and node.WhichOneof("kind") != "variable"
        for node in origin.meta_graph.object_graph_def.nodes
    )


def _write_main_graph(model: Model, origin: V2Origin, plan: Plan, meta_graph: Any, keeps_saver: bool) -> None:
    share_constants(model.all_graphs(), model.library)
    source, target = origin.meta_graph.graph_def, meta_graph.graph_def
    target.versions.CopyFrom(source.versions)
    nodes, saved = _main_nodes(origin, plan, meta_graph, keeps_saver)
    target.node.extend(nodes)
    roots = [*plan.functions, *(f for n in nodes for f in _node_functions(n))]
    write_library(model, target, roots)
    for written in list(model.all_graphs()):
        written.clear()  # its weights are in the proto now, and will be once more when that is serialized
    if keeps_saver:
        meta_graph.saver_def.CopyFrom(origin.meta_graph.saver_def)
    else:
        saver.add_saver(meta_graph, saved)


def _node_functions(node_def: Any) -> list[str]:
    from tensorflow.core.framework import function_pb2

    return called_functions(function_pb2.FunctionDef(node_def=[node_def]))


def _main_nodes(
    origin: V2Origin, plan: Plan, meta_graph: Any, keeps_saver: bool
) -> tuple[list[Any], list[saver.Saved]]:
    from tensorflow.core.framework import node_def_pb2

    handles: dict[str, int] = {}
    changed: dict[str, Any] = {}
    for node_def in origin.meta_graph.graph_def.node:
        copy = node_def_pb2.NodeDef()
        copy.CopyFrom(node_def)
        for stale in graphdef.STALE_ATTRS & set(copy.attr):
            del copy.attr[stale]
        function = copy.attr["f"].func.name if "f" in copy.attr else ""
        if function in plan.captures:
            _drop_captures(copy, origin.captures[function], plan.captures[function], handles)
        changed[copy.name] = copy
    wanted = _main_roots(origin.meta_graph.saver_def if keeps_saver else None, meta_graph)
    nodes = graphdef.reachable(changed.values(), [w for w in wanted if w.partition(":")[0] in changed])
    saved: list[saver.Saved] = []
    for node in nodes:
        key = plan.variables.get(handles.get(node.name, -1))
        if key:
            saved.append(saver.Saved(node.name, node.attr["dtype"].type, key))
    return nodes, saved


def _drop_captures(node_def: Any, captures: list[int], kept: list[int], handles: dict[str, int]) -> None:
    data = [i for i in node_def.input if not i.startswith("^")]
    controls = [i for i in node_def.input if i.startswith("^")]
    first = len(data) - len(captures)
    types = list(node_def.attr["Tin"].list.type)
    for position, object_id in enumerate(captures):
        handles[graphdef.node_name(data[first + position])] = object_id
    positions = [*range(first), *(first + k for k in kept)]
    del node_def.input[:]
    node_def.input.extend([data[k] for k in positions] + controls)
    del node_def.attr["Tin"]
    node_def.attr["Tin"].list.type.extend(types[k] for k in positions)


def _main_roots(old_saver: Any | None, meta_graph: Any) -> list[str]:
    roots = [o.name for s in meta_graph.signature_def.values() for o in s.outputs.values()]
    roots += [i.name for s in meta_graph.signature_def.values() for i in s.inputs.values()]
    roots += [a.tensor_info.name for a in meta_graph.asset_file_def]
    for collection in meta_graph.collection_def.values():
        roots += list(collection.node_list.value)
    for node in meta_graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind == "constant":
            roots.append(node.constant.operation)
        elif kind == "captured_tensor":
            roots.append(node.captured_tensor.name)
    if old_saver is not None:
        roots += [old_saver.filename_tensor_name, old_saver.save_tensor_name, old_saver.restore_op_name]
    return roots


def _write_objects(origin: V2Origin, plan: Plan, into: Any, model: Model) -> dict[int, int]:
    """The saved objects that stay, renumbered; returns old id → new id."""
    source = origin.meta_graph.object_graph_def
    keep = _live_objects(source, plan, model)
    new_ids = {old: new for new, old in enumerate(sorted(keep))}
    new_ids.update({i: new_ids[first] for i, first in plan.same.items() if first in new_ids})
    for old in sorted(keep):
        node = into.nodes.add()
        node.CopyFrom(source.nodes[old])
        _keep_references(node.children, new_ids)
        _keep_references(node.dependencies, new_ids)
        del node.slot_variables[:]
        if node.WhichOneof("kind") == "function":
            names = [n for n in node.function.concrete_functions if n in plan.functions]
            del node.function.concrete_functions[:]
            node.function.concrete_functions.extend(names)
        for saveable in node.saveable_objects.values():
            saveable.save_function = new_ids[saveable.save_function]
            saveable.restore_function = new_ids[saveable.restore_function]
    for name in sorted(plan.functions):
        concrete = into.concrete_functions[name]
        concrete.CopyFrom(source.concrete_functions[name])
        bound = list(concrete.bound_inputs)
        if name in plan.captures:
            bound = [bound[k] for k in plan.captures[name]]
        del concrete.bound_inputs[:]
        concrete.bound_inputs.extend(new_ids[i] for i in bound)
    return new_ids


def _keep_references(references: Any, new_ids: dict[int, int]) -> None:
    kept = [(r.local_name, new_ids[r.node_id]) for r in references if r.node_id in new_ids]
    del references[:]
    for name, new in kept:
        references.add(local_name=name, node_id=new)


def _live_objects(source: Any, plan: Plan, model: Model) -> set[int]:
    """Objects reachable from the root when dead variables, functions and signatures are left out."""
    signature_map = {i for i, n in enumerate(source.nodes) if n.user_object.identifier == "signature_map"}
    seen: set[int] = set()
    stack = [0]
    for name in plan.functions:
        bound = source.concrete_functions[name].bound_inputs
        stack.extend([bound[k] for k in plan.captures[name]] if name in plan.captures else bound)
    while stack:
        index = stack.pop()
        index = plan.same.get(index, index)
        if index in seen or not _is_live(source.nodes[index], index, plan):
            continue
        seen.add(index)
        node = source.nodes[index]
        for child in [*node.children, *node.dependencies]:
            if index not in signature_map or child.local_name in model.signatures:
                stack.append(child.node_id)
        for saveable in node.saveable_objects.values():
            stack += [saveable.save_function, saveable.restore_function]
    return seen


def _is_live(node: Any, index: int, plan: Plan) -> bool:
    kind = node.WhichOneof("kind")
    if kind == "variable":
        return index in plan.variables
    if kind == "function":
        return any(n in plan.functions for n in node.function.concrete_functions)
    if kind == "bare_concrete_function":
        return node.bare_concrete_function.concrete_function_name in plan.functions
    return True


def _write_checkpoint(
    origin: V2Origin, plan: Plan, objects: Any, new_ids: dict[int, int], out: Path, keeps_saver: bool
) -> None:
    variables = out / "variables"
    variables.mkdir()
    if keeps_saver:
        for file in origin.files.variables_prefix.parent.iterdir():
            shutil.copy2(file, variables / file.name)
        return
    tensors: dict[str, Array] = {}
    graph = _object_graph(origin, plan, objects, new_ids)
    for key in sorted(set(plan.variables.values())):
        if key and origin.checkpoint is not None:
            tensors[key] = origin.checkpoint.tensor(key)
    tensors[checkpoint_io.OBJECT_GRAPH_KEY] = np.array(graph.SerializeToString(deterministic=True), object)
    checkpoint_io.write(variables / "variables", tensors)


def _object_graph(origin: V2Origin, plan: Plan, objects: Any, new_ids: dict[int, int]) -> Any:
    """The checkpoint's own description of the objects, in the numbering of the saved objects."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    for node in objects.nodes:
        into = graph.nodes.add()
        for child in node.children:
            into.children.add(local_name=child.local_name, node_id=child.node_id)
    for old, new in new_ids.items():
        if plan.variables.get(old) and old not in plan.same:
            name = origin.meta_graph.object_graph_def.nodes[old].variable.name
            graph.nodes[new].attributes.add(name=VALUE_KEY, full_name=name, checkpoint_key=plan.variables[old])
    return graph
