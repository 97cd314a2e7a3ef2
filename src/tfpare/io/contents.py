"""What a graph file or SavedModel holds, piece by piece, for comparing two: protos are parsed, nothing is run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tfpare.errors import UnsupportedModel
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef, saved_model
from tfpare.io.checkpoint import OBJECT_GRAPH_KEY, Checkpoint
from tfpare.io.inspect import parse_checkpoint_meta
from tfpare.io.objects import describe_objects
from tfpare.io.op_registry import op_spec
from tfpare.ir.model import Signature
from tfpare.ir.types import Array, Attr, Raw, Shape


class NodeContents(Protocol):
    """A node of a graph, or a layer of a Keras model."""

    @property
    def name(self) -> str:
        """Unique in its graph."""
        ...

    @property
    def op(self) -> str:
        """The op, or the class of a layer."""
        ...

    @property
    def device(self) -> str:
        """As requested; empty for anywhere."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is read, port 0 left out: `a:0` and `a` are both `a`."""
        ...

    @property
    def controls(self) -> frozenset[str]:
        """The nodes of its control edges, whose order means nothing."""
        ...

    def attrs(self) -> dict[str, Attr]:
        """The attributes as they are written down."""
        ...

    def defaults(self) -> Mapping[str, Attr]:
        """What attributes are that are not written down, where that is known."""
        ...

    def encoded(self) -> bytes:
        """Equal for nodes that are equal in every bit (others may be equal too)."""
        ...


class GraphNode:
    """A NodeDef."""

    __slots__ = ("_controls", "_inputs", "_proto", "name", "op")

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._inputs: tuple[str, ...] | None = None
        self._controls = frozenset[str]()
        self.name: str = proto.name
        self.op: str = proto.op

    @property
    def device(self) -> str:
        """As requested; empty for anywhere."""
        return self._proto.device

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is read, port 0 left out."""
        return self._inputs if self._inputs is not None else self._split()

    @property
    def controls(self) -> frozenset[str]:
        """The nodes of its control edges."""
        if self._inputs is None:
            self._split()
        return self._controls

    def _split(self) -> tuple[str, ...]:
        refs: list[str] = [plain_ref(i) for i in self._proto.input]
        self._controls = frozenset(r[1:] for r in refs if r.startswith("^"))
        self._inputs = tuple(r for r in refs if not r.startswith("^"))
        return self._inputs

    def attrs(self) -> dict[str, Attr]:
        """The attributes; one that cannot be decoded as its bytes."""
        return {key: _decode(value) for key, value in self._proto.attr.items()}

    def defaults(self) -> Mapping[str, Attr]:
        """The defaults of a registered op."""
        spec = op_spec(self.op)
        return {} if spec is None else spec.defaults

    def encoded(self) -> bytes:
        """The proto, attributes in the order of their names."""
        return self._proto.SerializeToString(deterministic=True)


@dataclass(slots=True)
class FunctionContents:
    """A library function: `facts` are its arguments, results and attributes, each by a name."""

    name: str
    facts: dict[str, str]
    nodes: dict[str, NodeContents]


@dataclass(slots=True)
class StoredTensor:
    """A tensor of a checkpoint, or a weight of a Keras file."""

    dtype: str
    shape: Shape
    load: Callable[[], Array]


@dataclass(slots=True)
class GraphContents:
    """One MetaGraph, or the only graph of a file.

    Attributes:
        versions: of the graph format and of the TensorFlow that wrote it.
        variables: the tensors of the checkpoint, None where there is none.
        assets, objects, parts: facts by name, of each asset file, saved object, and other part (collections, saver).
    """

    tags: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict[str, str])
    nodes: dict[str, NodeContents] = field(default_factory=dict[str, NodeContents])
    functions: dict[str, FunctionContents] = field(default_factory=dict[str, FunctionContents])
    signatures: dict[str, Signature] = field(default_factory=dict[str, Signature])
    variables: dict[str, StoredTensor] | None = None
    assets: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    objects: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    parts: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])


def plain_ref(ref: str) -> str:
    """`a:0` → `a`, `a:out:0` → `a:out`."""
    return ref.removesuffix(":0")


def read_saved_model(path: Path, tags: tuple[str, ...] | None) -> list[GraphContents]:
    """Every MetaGraph, or the one with exactly these tags.

    Raises:
        UnsupportedModel: damaged files.
        UsageError: no MetaGraph has these tags.
    """
    files = saved_model.parse(path)
    metas = list(files.proto.meta_graphs) if tags is None else saved_model.choose(files, tags)
    graphs: list[GraphContents] = []
    for meta_graph in metas:
        contents = _meta_graph(meta_graph, files.variables_prefix)
        contents.assets = {a.filename: _asset(path / "assets", a.filename) for a in saved_model.asset_defs(meta_graph)}
        contents.objects = describe_objects(meta_graph.object_graph_def.nodes)
        graphs.append(contents)
    return graphs


def read_graphdef(path: Path) -> GraphContents:
    """A `.pb` or `.pbtxt` file.

    Raises:
        UnsupportedModel: it is no GraphDef.
    """
    return _graph(graphdef.read_graphdef(path))


def read_checkpoint(prefix: Path) -> GraphContents:
    """`prefix.meta` and the checkpoint beside it.

    Raises:
        UnsupportedModel: one of them cannot be read.
    """
    return _meta_graph(parse_checkpoint_meta(prefix), prefix)


def _meta_graph(meta_graph: Any, checkpoint: Path) -> GraphContents:
    contents = _graph(meta_graph.graph_def)
    contents.tags = tuple(sorted(meta_graph.meta_info_def.tags))
    contents.versions["tensorflow"] = meta_graph.meta_info_def.tensorflow_version
    contents.signatures = saved_model.signatures(meta_graph)
    contents.variables = _variables(checkpoint)
    for key, collection in meta_graph.collection_def.items():
        contents.parts[f"collection {key}"] = {"content": _digest(collection.SerializeToString(deterministic=True))}
    if meta_graph.HasField("saver_def"):
        saver = meta_graph.saver_def
        contents.parts["saver"] = {d.name: str(v) for d, v in saver.ListFields()}
    return contents


def _graph(graph_def: Any) -> GraphContents:
    library = [_function(f) for f in graph_def.library.function]
    return GraphContents(
        versions=_versions(graph_def.versions),
        nodes=_nodes(graph_def.node, "The graph"),
        functions=_by_name(((f.name, f) for f in library), "The library", "functions"),
    )


def _nodes(protos: Any, where: str) -> dict[str, NodeContents]:
    return _by_name(((p.name, GraphNode(p)) for p in protos), where, "nodes")


def _by_name(pairs: Iterable[tuple[str, Any]], where: str, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in pairs:
        if name in found:
            raise UnsupportedModel(f"{where} has two {what} with the name {name!r}. The file is damaged.")
        found[name] = one
    return found


def _function(proto: Any) -> FunctionContents:
    signature, facts = proto.signature, dict[str, str]()
    for k, arg in enumerate(signature.input_arg):
        facts[f"argument {k}"] = f"{arg.name} {_dtype(arg)}"
        for key, value in proto.arg_attr[k].attr.items() if k in proto.arg_attr else ():
            facts[f"attribute {key} of argument {k}"] = _shown(value)
    for k, arg in enumerate(signature.output_arg):
        facts[f"result {k}"] = f"{arg.name} {_dtype(arg)}"
    facts.update((f"value of {key}", plain_ref(ref)) for key, ref in proto.ret.items())
    facts.update((f"control output {key}", name) for key, name in proto.control_ret.items())
    facts.update((f"attribute {key}", _shown(value)) for key, value in proto.attr.items())
    if signature.is_stateful:
        facts["stateful"] = "true"
    name = signature.name
    return FunctionContents(name, facts, _nodes(proto.node_def, f"Function {name!r}"))


def _dtype(arg: Any) -> str:
    return attr_io.dtype_from_enum(arg.type).name if arg.type else arg.type_attr or arg.type_list_attr


def _shown(value: Any) -> str:
    return " ".join(str(value).split())


def _decode(value: Any) -> Attr:
    try:
        return attr_io.decode(value)
    except UnsupportedModel:
        return Raw(value.SerializeToString(deterministic=True))


def _versions(versions: Any) -> dict[str, str]:
    found = {"producer": str(versions.producer), "min_consumer": str(versions.min_consumer)}
    if versions.bad_consumers:
        found["bad_consumers"] = ", ".join(map(str, versions.bad_consumers))
    return found


def _variables(prefix: Path) -> dict[str, StoredTensor] | None:
    if not Path(f"{prefix}.index").is_file():
        return None
    checkpoint = Checkpoint(prefix)
    return {key: _stored(checkpoint, key) for key in sorted(checkpoint.shapes) if key != OBJECT_GRAPH_KEY}


def _stored(checkpoint: Checkpoint, key: str) -> StoredTensor:
    shape = Shape(tuple(checkpoint.shapes[key]))
    return StoredTensor(checkpoint.dtypes[key].name, shape, lambda: checkpoint.tensor(key))


def _asset(root: Path, name: str) -> dict[str, str]:
    target = (root / name).resolve()
    if not target.is_relative_to(root.resolve()):
        return {"file": "outside the model, not read"}
    if not target.is_file():
        return {"file": "missing"}
    with target.open("rb") as file:
        return {"content": f"{target.stat().st_size} bytes, sha256 {_sha256(file)}"}


def _sha256(file: Any) -> str:
    whole = hashlib.sha256()
    while block := file.read(1 << 20):
        whole.update(block)
    return whole.hexdigest()[:16]


def _digest(data: bytes) -> str:
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
