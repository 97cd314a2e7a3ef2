"""What a Keras file says: its configuration is read as JSON, no layer is built and no code in it runs."""
# h5py ships no type information.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tfpare.errors import UnsupportedModel

_CONFIG_LIMIT_BYTES = 64 << 20  # real configurations have a few MB; more is a decompression bomb

# What zipfile, json and h5py raise, and our own reading of a configuration that is no tree of dictionaries.
DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError, RuntimeError),
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
)


@dataclass(slots=True)
class LayerFacts:
    """A layer as configured: class, name, the module that defines the class, and dtype policy."""

    class_name: str
    name: str
    module: str = ""
    dtype: str = ""


@dataclass(slots=True)
class KerasFacts:
    """A `.keras` or `.h5` file: version, layers in order, bytes of its weights."""

    keras_version: str
    model_class: str
    layers: list[LayerFacts] = field(default_factory=list[LayerFacts])
    weight_bytes: int = 0


def read_keras(path: Path) -> KerasFacts:
    """The facts of a Keras file.

    Raises:
        UnsupportedModel: it is neither a Keras archive nor an HDF5 model file.
    """
    return _archive(path) if zipfile.is_zipfile(path) else _hdf5(path)


def _archive(path: Path) -> KerasFacts:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(member(archive, "config.json"))
            metadata = json.loads(member(archive, "metadata.json"))
            weights = sum(i.file_size for i in archive.infolist() if i.filename.endswith((".h5", ".npz")))
    except DAMAGED as error:
        raise UnsupportedModel(f"{path} is no Keras model file: {error}") from error
    return KerasFacts(
        str(metadata.get("keras_version", "")), str(config.get("class_name", "")), _layers(config), weights
    )


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of the archive.

    Raises:
        ValueError: it is too large for a configuration.
    """
    if archive.getinfo(name).file_size > _CONFIG_LIMIT_BYTES:
        raise ValueError(f"{name} is larger than {_CONFIG_LIMIT_BYTES >> 20} MiB")
    return archive.read(name)


def _hdf5(path: Path) -> KerasFacts:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            attrs: dict[str, Any] = dict(file.attrs)
            weights: Any = file.get("model_weights", file)
            config = json.loads(_text(attrs.get("model_config", "{}")))
            layers = _layers(config) or [LayerFacts("", _text(n)) for n in weights.attrs.get("layer_names", ())]
            version, model_class = _text(attrs.get("keras_version", "")), str(config.get("class_name", ""))
            return KerasFacts(version, model_class, layers, _dataset_bytes(weights))
    except DAMAGED as error:
        raise UnsupportedModel(f"{path} is no Keras model file: {error}") from error


def _dataset_bytes(group: Any) -> int:
    sizes: list[int] = []

    def visit(name: str, item: Any) -> None:
        del name
        sizes.append(getattr(item, "nbytes", 0))

    group.visititems(visit)
    return sum(sizes)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _layers(config: dict[str, Any]) -> list[LayerFacts]:
    """All layers, those of nested models after the model that holds them."""
    inner: Any = config.get("config")
    layers: list[dict[str, Any]] = inner.get("layers", []) if isinstance(inner, dict) else []
    found: list[LayerFacts] = []
    for layer in layers:
        found.append(_layer(layer))
        found.extend(_layers(layer))
    return found


def _layer(layer: dict[str, Any]) -> LayerFacts:
    own: dict[str, Any] = layer.get("config") or {}
    dtype: Any = own.get("dtype") or ""
    if isinstance(dtype, dict):  # a dtype policy
        dtype = cast("dict[str, Any]", dtype).get("config", {}).get("name", "")
    name = own.get("name") or layer.get("name") or ""
    return LayerFacts(str(layer.get("class_name", "")), str(name), str(layer.get("module") or ""), str(dtype))
