"""What a Keras file holds, for comparing two of them: layers as nodes, weights as variables. No layer is built."""
# h5py ships no type information.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tfpare.errors import UnsupportedModel
from tfpare.io.contents import GraphContents, NodeContents, StoredTensor
from tfpare.io.inspect_keras import DAMAGED, member
from tfpare.ir.types import Array, Attr, Shape

_WEIGHTS = "model.weights.h5"


@dataclass(slots=True)
class LayerNode:
    """A layer: its class is the op, what its configuration says the attributes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    config: dict[str, str]
    device: str = ""
    controls: frozenset[str] = field(default_factory=frozenset[str])

    def attrs(self) -> dict[str, Attr]:
        """Each entry of the configuration as JSON."""
        return dict(self.config)

    def defaults(self) -> Mapping[str, Attr]:
        """Unknown without importing the class."""
        return {}

    def encoded(self) -> bytes:
        """All of it as text."""
        return repr((self.name, self.op, self.inputs, sorted(self.config.items()))).encode("utf-8", "surrogatepass")


def read_keras(path: Path) -> GraphContents:
    """A `.keras` or `.h5` file.

    Raises:
        UnsupportedModel: it is neither, or damaged.
    """
    try:
        return _archive(path) if path.suffix == ".keras" else _hdf5(path)
    except DAMAGED as error:
        raise UnsupportedModel(f"{path} is no Keras model file: {error}") from error


def _archive(path: Path) -> GraphContents:
    with zipfile.ZipFile(path) as archive:
        config = json.loads(member(archive, "config.json"))
        metadata = json.loads(member(archive, "metadata.json"))
        weights = archive.read(_WEIGHTS) if _WEIGHTS in archive.namelist() else b""
    contents = _contents(config, str(metadata.get("keras_version", "")))
    contents.variables = _weights(lambda: io.BytesIO(weights)) if weights else None
    return contents


def _hdf5(path: Path) -> GraphContents:
    import h5py

    with h5py.File(path, "r") as file:
        config, version = file.attrs.get("model_config", "{}"), file.attrs.get("keras_version", "")
    contents = _contents(json.loads(config), str(version))
    contents.variables = {name.removeprefix("model_weights/"): w for name, w in _weights(lambda: path).items()}
    return contents


def _weights(source: Callable[[], Any]) -> dict[str, StoredTensor]:
    import h5py

    found: dict[str, StoredTensor] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = StoredTensor(str(item.dtype), Shape(tuple(item.shape)), lambda: _dataset(source(), name))

    with h5py.File(source(), "r") as file:
        file.visititems(visit)
    return found


def _dataset(source: Any, name: str) -> Array:
    import h5py

    try:
        with h5py.File(source, "r") as file:
            dataset: Any = file[name]
            return dataset[()]
    except DAMAGED as error:
        raise UnsupportedModel(f"The weight {name!r} cannot be read: {error}") from error


def _contents(config: dict[str, Any], version: str) -> GraphContents:
    own: dict[str, Any] = config.get("config") or {}
    model = {"class": str(config.get("class_name", "")), **_entries(config)}
    nodes: dict[str, NodeContents] = {layer.name: layer for layer in _layers(own.get("layers") or [], "")}
    return GraphContents(versions={"keras": version}, nodes=nodes, parts={"model": model})


def _layers(layers: list[dict[str, Any]], prefix: str) -> Iterator[LayerNode]:
    """All layers, those of nested models as `model/layer`."""
    for layer in layers:
        own: dict[str, Any] = layer.get("config") or {}
        name = f"{prefix}{own.get('name') or layer.get('name') or layer.get('class_name')}"
        sources = tuple(f"{prefix}{source}" for source in _sources(layer.get("inbound_nodes")))
        yield LayerNode(name, str(layer.get("class_name", "")), sources, _entries(layer))
        yield from _layers(own.get("layers") or [], f"{name}/")


def _entries(layer: dict[str, Any]) -> dict[str, str]:
    own: dict[str, Any] = layer.get("config") or {}
    entries = {k: json.dumps(_plain(v), sort_keys=True) for k, v in own.items() if k not in ("layers", "name")}
    module = str(layer.get("module") or "")
    if module and not module.startswith("keras"):  # Keras' own move from one module to another
        entries["module"] = module
    return entries


def _plain(value: object) -> object:
    """Without the addresses that objects had when they were saved."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {k: _plain(v) for k, v in items if k != "shared_object_id"}
    return [_plain(v) for v in cast("list[object]", value)] if isinstance(value, list) else value


def _sources(calls: object) -> Iterator[str]:
    """What is read: Keras 3 writes `keras_history: [layer, call, output]`, Keras 2 the list alone, with arguments."""
    if isinstance(calls, dict):
        for key, value in cast("dict[str, object]", calls).items():
            yield from _history(value) if key == "keras_history" else _sources(value)
    elif isinstance(calls, list):
        items = cast("list[object]", calls)
        is_history = len(items) >= 3 and isinstance(items[0], str) and isinstance(items[1], int)
        yield from _history(items) if is_history else (s for item in items for s in _sources(item))


def _history(value: object) -> Iterator[str]:
    if isinstance(value, list) and len(cast("list[object]", value)) >= 3:
        layer, call, output = cast("list[object]", value)[:3]
        yield f"{layer}:{call}:{output}"
