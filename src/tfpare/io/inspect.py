"""What a model's files say, as plain data: protos are parsed and checkpoints listed, nothing is loaded or run."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfpare.errors import TfpareError, UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef, saved_model
from tfpare.io.guess import guess_inputs, guess_outputs
from tfpare.io.op_registry import op_spec
from tfpare.ir.model import Signature
from tfpare.ir.types import UNKNOWN, Shape

DUPLICATE_FROM_BYTES = 64
"""Smaller tensors are not looked at for duplicates: equal values of a few bytes are chance and save nothing."""


@dataclass(slots=True)
class NodeFacts:
    """One NodeDef.

    Attributes:
        calls: functions that its attributes name.
        n_bytes, elements, digest: of a Const's value: bytes in the file, numbers in it, hash of large ones.
        is_training: of a batch norm (the op's default is True).
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    device: str = ""
    calls: tuple[str, ...] = ()
    dtype: str = ""
    shape: Shape = UNKNOWN
    n_bytes: int = 0
    elements: int = 0
    digest: str = ""
    is_training: bool = False
    is_registered: bool = True


@dataclass(slots=True)
class VariableFacts:
    """A variable of the graph, or a tensor of the checkpoint (with its bytes and, where it can be double, its hash)."""

    name: str
    dtype: str
    shape: Shape
    n_bytes: int = 0
    digest: str = ""


@dataclass(slots=True)
class AssetFacts:
    """An asset file: whether it is there, and whether its path stays in the model's `assets` directory."""

    name: str
    exists: bool
    escapes: bool
    n_bytes: int = 0


@dataclass(slots=True)
class GraphFacts:
    """One MetaGraph, or the only graph of a bare GraphDef."""

    tags: tuple[str, ...] = ()
    tensorflow: str = ""
    signatures: dict[str, Signature] = field(default_factory=dict[str, Signature])
    nodes: list[NodeFacts] = field(default_factory=list[NodeFacts])
    functions: dict[str, list[NodeFacts]] = field(default_factory=dict[str, list[NodeFacts]])
    arguments: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    variables: list[VariableFacts] = field(default_factory=list[VariableFacts])
    stored: list[VariableFacts] = field(default_factory=list[VariableFacts])
    assets: list[AssetFacts] = field(default_factory=list[AssetFacts])
    inputs: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])
    saver_scopes: set[str] = field(default_factory=set[str])
    problems: list[str] = field(default_factory=list[str])


def read_saved_model(path: Path, tags: tuple[str, ...] | None) -> list[GraphFacts]:
    """The facts of every MetaGraph, or of the one with exactly these tags.

    Raises:
        UnsupportedModel: the directory cannot be parsed.
        UsageError: no MetaGraph has these tags.
    """
    files = saved_model.parse(path)
    metas = list(files.proto.meta_graphs) if tags is None else saved_model.choose(files, tags)
    return [_saved_model_facts(files, m) for m in metas]


def _saved_model_facts(files: saved_model.SavedModelFiles, meta_graph: Any) -> GraphFacts:
    facts = _meta_graph(meta_graph)
    facts.signatures = saved_model.signatures(meta_graph)
    facts.assets = [_asset(files.path / "assets", a.filename) for a in saved_model.asset_defs(meta_graph)]
    _add_checkpoint(facts, files.variables_prefix)
    return facts


def read_graphdef(path: Path) -> GraphFacts:
    """The facts of a `.pb` or `.pbtxt` file.

    Raises:
        UnsupportedModel: it is no GraphDef.
    """
    graph_def = graphdef.read_graphdef(path)
    facts = GraphFacts()
    _add_graph_def(facts, graph_def)
    _add_guesses(facts, graph_def)
    if facts.variables:
        facts.problems.append(f"{len(facts.variables)} variables have no values: a bare GraphDef has no checkpoint")
    return facts


def read_checkpoint(prefix: Path) -> GraphFacts:
    """The facts of `prefix.meta` and the checkpoint beside it.

    Raises:
        UnsupportedModel: the meta graph cannot be parsed.
    """
    meta_graph = parse_checkpoint_meta(prefix)
    facts = _meta_graph(meta_graph)
    _add_guesses(facts, meta_graph.graph_def)
    _add_checkpoint(facts, prefix)
    return facts


def parse_checkpoint_meta(prefix: Path) -> Any:
    """The MetaGraphDef in `prefix.meta`.

    Raises:
        UnsupportedModel: it cannot be parsed.
    """
    from google.protobuf import message
    from tensorflow.core.protobuf import meta_graph_pb2

    meta_graph = meta_graph_pb2.MetaGraphDef()
    try:
        meta_graph.ParseFromString(Path(f"{prefix}.meta").read_bytes())
    except (OSError, message.DecodeError) as error:
        raise UnsupportedModel(f"{prefix}.meta cannot be parsed: missing, cut off or damaged.") from error
    return meta_graph


def _meta_graph(meta_graph: Any) -> GraphFacts:
    facts = GraphFacts(tuple(meta_graph.meta_info_def.tags), meta_graph.meta_info_def.tensorflow_version)
    _add_graph_def(facts, meta_graph.graph_def)
    saver = meta_graph.saver_def
    names = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
    facts.saver_scopes = {n.rpartition("/")[0] for n in names if "/" in n}
    owned = [o.variable for o in meta_graph.object_graph_def.nodes if o.WhichOneof("kind") == "variable"]
    if owned:  # the handles in the graph are the same variables again, for TF 1 loaders
        facts.variables = [_owned_variable(v) for v in owned]
    return facts


def _owned_variable(proto: Any) -> VariableFacts:
    return VariableFacts(proto.name, attr_io.dtype_from_enum(proto.dtype).name, attr_io.shape_from_proto(proto.shape))


def _add_graph_def(facts: GraphFacts, graph_def: Any) -> None:
    library = {f.signature.name for f in graph_def.library.function}
    facts.nodes = [_node(n, library) for n in graph_def.node]
    for function in graph_def.library.function:
        facts.functions[function.signature.name] = [_node(n, library) for n in function.node_def]
        facts.arguments[function.signature.name] = {a.name for a in function.signature.input_arg}
    for node in facts.nodes:
        if node.op in ("Variable", "VariableV2", "VarHandleOp"):
            facts.variables.append(VariableFacts(node.name, node.dtype, node.shape))
    twice = [name for name, count in Counter(n.name for n in facts.nodes).items() if count > 1]
    facts.problems.extend(f"two nodes have the name {name!r}" for name in twice[:1])


def _node(node_def: Any, library: set[str]) -> NodeFacts:
    facts = NodeFacts(node_def.name, node_def.op, tuple(node_def.input), node_def.device)
    facts.is_registered = node_def.op in library or op_spec(node_def.op) is not None
    facts.calls = _calls(node_def, library)
    if node_def.op == "Const":
        _add_const(facts, node_def.attr["value"].tensor)
    elif node_def.op.startswith("FusedBatchNorm"):
        facts.is_training = "is_training" not in node_def.attr or node_def.attr["is_training"].b
    elif node_def.op.startswith(("Placeholder", "Var")):
        if "dtype" in node_def.attr:
            facts.dtype = attr_io.dtype_from_enum(node_def.attr["dtype"].type).name
        if "shape" in node_def.attr:
            facts.shape = attr_io.shape_from_proto(node_def.attr["shape"].shape)
    return facts


def _calls(node_def: Any, library: set[str]) -> tuple[str, ...]:
    names = [node_def.op] if node_def.op in library else []
    for attr in node_def.attr.values():
        kind = attr.WhichOneof("value")
        if kind == "func":
            names.append(attr.func.name)
        elif kind == "list":
            names.extend(f.name for f in attr.list.func)
    return tuple(names)


def _add_const(facts: NodeFacts, tensor: Any) -> None:
    facts.dtype = attr_io.dtype_from_enum(tensor.dtype).name if tensor.dtype else ""
    facts.shape = attr_io.shape_from_proto(tensor.tensor_shape)
    facts.elements = facts.shape.size or 0
    content = tensor.tensor_content
    facts.n_bytes = len(content) or tensor.ByteSize()
    if len(content) >= DUPLICATE_FROM_BYTES:
        facts.digest = _digest(facts.dtype, facts.shape, content)


def _digest(dtype: str, shape: Shape, content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16, key=f"{dtype}{shape}".encode()[:64]).hexdigest()


def _add_guesses(facts: GraphFacts, graph_def: Any) -> None:
    facts.outputs = guess_outputs(graph_def)
    try:
        facts.inputs = guess_inputs(graph_def, facts.outputs)
    except TfpareError as error:
        facts.problems.append(str(error))


def _asset(root: Path, name: str) -> AssetFacts:
    target = (root / name).resolve()
    if not target.is_relative_to(root.resolve()):
        return AssetFacts(name, False, True)
    exists = target.is_file()
    return AssetFacts(name, exists, False, target.stat().st_size if exists else 0)


def _add_checkpoint(facts: GraphFacts, prefix: Path) -> None:
    index, shards = Path(f"{prefix}.index"), _shards(prefix)
    if not index.is_file():
        if facts.variables or shards:
            facts.problems.append(f"{index.name} is missing: {len(facts.variables)} variables have no values")
        return
    facts.problems.extend(_missing_shards(prefix, shards))
    try:
        facts.stored = _stored(prefix, readable=not facts.problems)
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        facts.problems.append(f"the checkpoint cannot be read: {first}")


def _shards(prefix: Path) -> list[str]:
    return sorted(p.name for p in prefix.parent.glob(f"{prefix.name}.data-*-of-*")) if prefix.parent.is_dir() else []


def _missing_shards(prefix: Path, found: list[str]) -> Iterable[str]:
    if not found:
        yield f"{prefix.name}.data-00000-of-… is missing: the variables have no values"
        return
    count = int(found[0].rpartition("-")[2])
    for k in range(count):
        name = f"{prefix.name}.data-{k:05d}-of-{count:05d}"
        if name not in found:
            yield f"{name} is missing: some variables have no values"


def _stored(prefix: Path, readable: bool) -> list[VariableFacts]:
    from tensorflow.python.training import py_checkpoint_reader

    reader = py_checkpoint_reader.NewCheckpointReader(str(prefix))
    dtypes = reader.get_variable_to_dtype_map()
    stored: list[VariableFacts] = []
    for key, dims in sorted(reader.get_variable_to_shape_map().items()):
        shape, name = Shape(tuple(dims)), dtypes[key].name
        item = attr_io.dtype_from_enum(dtypes[key].as_datatype_enum).numpy
        size = (shape.size or 0) * (item.itemsize if item is not None and name != "string" else 0)
        stored.append(VariableFacts(key, name, shape, size))
    alike = Counter((v.dtype, v.shape) for v in stored)
    for one in stored:
        if readable and one.n_bytes >= DUPLICATE_FROM_BYTES and alike[one.dtype, one.shape] > 1:
            one.digest = _digest(one.dtype, one.shape, reader.get_tensor(one.name).tobytes())
    return stored
