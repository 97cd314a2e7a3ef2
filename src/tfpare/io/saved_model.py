"""SavedModel directories: finding and parsing them, choosing MetaGraphs, signatures as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfpare.errors import UnsupportedModel, UsageError, nearest
from tfpare.io import attrs as attr_io
from tfpare.ir.model import Signature, TensorInfo

CARRIED = ("assets", "assets.extra")
"""Directories whose files stay as they are."""
_LINK_ADVICE = "If you trust the model, copy it with its links replaced by files (cp -rL)."
INIT_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")


@dataclass(slots=True)
class SavedModelFiles:
    """A parsed SavedModel directory."""

    path: Path
    proto: Any

    @property
    def variables_prefix(self) -> Path:
        """Prefix of the checkpoint files."""
        return self.path / "variables" / "variables"

    def tag_sets(self) -> list[tuple[str, ...]]:
        """The tag set of each MetaGraph."""
        return [tuple(m.meta_info_def.tags) for m in self.proto.meta_graphs]


def is_saved_model(path: Path) -> bool:
    """Whether the directory looks like a SavedModel."""
    return (path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file()


def parse(path: Path) -> SavedModelFiles:
    """Parses `saved_model.pb` or `.pbtxt`; nothing is loaded or run.

    Raises:
        UnsupportedModel: the files are missing or damaged.
    """
    from google.protobuf import message, text_format
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    binary, text = path / "saved_model.pb", path / "saved_model.pbtxt"
    if (path / "saved_model.cpb").is_file():
        raise UnsupportedModel(f"{path} is a split (chunked) SavedModel, which tfpare cannot read yet.")
    try:
        if binary.is_file():
            proto.ParseFromString(binary.read_bytes())
        elif text.is_file():
            text_format.Parse(text.read_text(), proto)
        else:
            raise UnsupportedModel(f"{path} is no SavedModel: it has no saved_model.pb or saved_model.pbtxt.")
    except OSError as error:
        raise UnsupportedModel(f"{path} cannot be read: {error.strerror}.") from error
    except (message.DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise UnsupportedModel(f"{path} cannot be parsed: saved_model.pb is cut off or damaged.") from error
    if not proto.meta_graphs:
        raise UnsupportedModel(f"{path} holds no MetaGraph. saved_model.pb is empty or damaged.")
    return SavedModelFiles(path, proto)


def choose(files: SavedModelFiles, tags: tuple[str, ...] | None) -> list[Any]:
    """The MetaGraphs to work on: the one with exactly `tags`, or by default all that are not for training.

    Raises:
        UsageError: no MetaGraph has these tags.
    """
    metas = list(files.proto.meta_graphs)
    if tags is not None:
        chosen = [m for m in metas if set(m.meta_info_def.tags) == set(tags)]
        if not chosen:
            shown = "; ".join(",".join(t) or "(empty)" for t in files.tag_sets())
            raise UsageError(f"{files.path} has no MetaGraph with tags {','.join(tags)!r}. It has: {shown}.")
        return chosen
    return [m for m in metas if "train" not in m.meta_info_def.tags] or metas


def signatures(meta_graph: Any) -> dict[str, Signature]:
    """The signatures that clients call (initialisers left out)."""
    found: dict[str, Signature] = {}
    for name, proto in sorted(meta_graph.signature_def.items()):
        if name not in INIT_SIGNATURES:
            found[name] = Signature(
                name,
                {k: tensor_info(v) for k, v in sorted(proto.inputs.items())},
                {k: tensor_info(v) for k, v in sorted(proto.outputs.items())},
                proto.method_name,
            )
    return found


def tensor_info(proto: Any) -> TensorInfo:
    """A `TensorInfo` proto in any of its encodings."""
    kind = proto.WhichOneof("encoding")
    if kind == "coo_sparse":
        sparse = proto.coo_sparse
        tensors = (sparse.indices_tensor_name, sparse.values_tensor_name, sparse.dense_shape_tensor_name)
    elif kind == "composite_tensor":
        tensors = tuple(c.name for c in proto.composite_tensor.components)
    else:
        tensors = (proto.name,)
    dtype = attr_io.dtype_from_enum(proto.dtype or 1)
    return TensorInfo(tensors, dtype, attr_io.shape_from_proto(proto.tensor_shape))


def pick_signatures(known: dict[str, Signature], wanted: list[str] | None) -> dict[str, Signature]:
    """The wanted signatures, all of them by default.

    Raises:
        UsageError: one does not exist.
    """
    if not wanted:
        return known
    for name in wanted:
        if name not in known:
            raise UsageError(f"The model has no signature {name!r}.{nearest(name, known)}")
    return {n: s for n, s in known.items() if n in wanted}


def asset_defs(meta_graph: Any) -> list[Any]:
    """The `AssetFileDef` protos of a MetaGraph, which old exporters keep (only, or also) in a collection."""
    from tensorflow.core.protobuf import meta_graph_pb2

    defs = list(meta_graph.asset_file_def)
    if "saved_model_assets" in meta_graph.collection_def:
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            if asset not in defs:
                defs.append(asset)
    return defs


def _refuse_foreign_links(path: Path, folder: str) -> None:
    """Copying a link would put a file of this machine into the output."""
    home = path.resolve()
    for file in [path / folder, *(path / folder).rglob("*")]:
        if file.is_symlink() and not file.resolve().is_relative_to(home):
            raise UnsupportedModel(f"{file} is a link that leaves the model's directory: refused. {_LINK_ADVICE}")


def asset_paths(files: SavedModelFiles, meta_graph: Any) -> dict[str, str]:
    """Asset tensors and the files that they name.

    Raises:
        UnsupportedModel: a path leaves the assets directory, or the file is missing.
    """
    defs = asset_defs(meta_graph)
    root = (files.path / "assets").resolve()
    for name in CARRIED:
        _refuse_foreign_links(files.path, name)
    for asset in defs:
        target = (root / asset.filename).resolve()
        if not target.is_relative_to(root):
            raise UnsupportedModel(
                f"Asset path {asset.filename!r} leaves {files.path / 'assets'}: refused. {_LINK_ADVICE}"
            )
        if not target.exists():
            raise UnsupportedModel(f"Asset file {asset.filename!r} is missing from {root}.")
    return {a.tensor_info.name: a.filename for a in defs}
