"""What a model's files promise to callers, without reading its graphs: form, tags, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfpare.errors import UsageError
from tfpare.io import graphdef, read, saved_model
from tfpare.ir.model import Signature


@dataclass(frozen=True, slots=True)
class Contract:
    """How a MetaGraph is loaded and called; `note` tells what is unlike the model that it replaces."""

    path: Path
    form: str
    tags: tuple[str, ...]
    signatures: Mapping[str, Signature]
    note: str = ""


def contract_of(path: Path, tags: tuple[str, ...], original: Mapping[str, Signature]) -> Contract:
    """The contract of a model that stands in for another one.

    Args:
        path: of the substitute.
        tags: of the original's MetaGraph; where the substitute has only one MetaGraph, that is taken in any case.
        original: the original's signatures; a bare graph has none, so its tensors have to be named as there.

    Raises:
        UnsupportedModel: no model, or damaged.
        UsageError: several MetaGraphs, none with these tags; or a Keras file.
    """
    form = read.sniff(path)
    if form == "keras":
        raise UsageError(f"{path} is a Keras file. Export it to a SavedModel first (model.export(DIR)).")
    if form == "checkpoint" and path.suffix == ".meta":
        path = path.with_suffix("")
    if form == "graphdef":
        graphdef.read_graphdef(path)
    if form != "saved_model":
        return Contract(path, form, (), original)
    files = saved_model.parse(path)
    note = ""
    if set(tags) not in [set(t) for t in files.tag_sets()] and len(files.tag_sets()) == 1:
        found = files.tag_sets()[0]
        note = f"{path} has the tags {','.join(found) or '(none)'}, the original {','.join(tags) or '(none)'}"
        tags = found
    meta_graph = saved_model.choose(files, tags)[0]
    has_objects = meta_graph.HasField("object_graph_def") and len(meta_graph.object_graph_def.nodes) > 0
    kind = "saved_model_v2" if has_objects else "saved_model_v1"
    return Contract(path, kind, tuple(meta_graph.meta_info_def.tags), saved_model.signatures(meta_graph), note)
