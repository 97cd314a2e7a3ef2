"""Models with golden outputs that the framework which made them computed, and stock TensorFlow's ways to load them.

A fixture folder has `manifest.json` (artifacts and signatures) and `golden.npz` with keys `<case>/in/<name>` and
`<case>/out/<name>`; sparse inputs have three parts, bfloat16 is stored as bits, a case is a signature unless the
manifest maps it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SMALL = Path(__file__).resolve().parent.parent / "data" / "fixtures"
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Case:
    """Inputs and expected outputs of one signature of one artifact."""

    name: str
    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Artifact:
    """One stored form of a fixture."""

    fixture: str
    path: Path
    kind: str
    tags: tuple[str, ...]
    signatures: dict[str, Any]
    cases: tuple[Case, ...]

    @property
    def id(self) -> str:
        tags = "+".join(self.tags)
        return f"{self.fixture}-{self.path.name}" + (f"-{tags}" if tags not in ("", "serve") else "")

    @property
    def is_bare(self) -> bool:
        """Whether it is a graph without signatures of its own."""
        return self.kind in ("frozen_pb", "checkpoint")

    def tensor_names(self, side: str) -> tuple[str, ...]:
        """Tensor names of the inputs or outputs of a bare graph."""
        return tuple(info["tensor"] for info in self.signatures["serving_default"][side].values())


def artifacts(root: Path) -> list[Artifact]:
    """Every artifact of every fixture below a folder that has a usable golden case."""
    found: list[Artifact] = []
    for manifest in sorted(root.glob("*/manifest.json")):
        data = json.loads(manifest.read_text())
        golden = _golden(manifest.parent / "golden.npz")
        for art in [data, *data["variants"]]:
            path = manifest.parent / art["path"]
            if "train" in art["tags"] or not (path.exists() or Path(f"{path}.meta").exists()):
                continue
            tags = ("serve",) if art["kind"] == "keras" else tuple(art["tags"])
            artifact = Artifact(data["name"], path, art["kind"], tags, art["signatures"], ())
            cases = tuple(c for name, value in golden.items() if (c := _case(artifact, art, data, name, value)))
            if cases:
                found.append(Artifact(*list(vars(artifact).values())[:-1], cases))
    return found


def _golden(path: Path) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    cases: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(path, allow_pickle=False) as stored:
        for key in stored.files:
            case, side, name = key.split("/", 2)
            cases.setdefault(case, {"in": {}, "out": {}})[side][name] = stored[key]
    return cases


def _case(artifact: Artifact, art: Any, manifest: Any, name: str, value: Any) -> Case | None:
    hint = manifest["golden"].get(name, {})
    hint = hint if isinstance(hint, dict) else {}
    signature = hint.get("signature", name)
    if artifact.kind == "keras":
        return Case(name, "serving_default", value["in"], value["out"]) if name == "call" else None
    if artifact.is_bare:
        known = artifact.signatures["serving_default"]
        fits = set(value["out"]) <= set(known["outputs"]) and set(value["in"]) <= set(known["inputs"])
        return Case(name, "serving_default", value["in"], value["out"]) if fits and "tags" not in hint else None
    if signature not in artifact.signatures or hint.get("variant", art["path"]) != art["path"]:
        return None
    default = ["serve"] if "serve" in art["tags"] else art["tags"]
    if list(hint.get("tags", default)) != art["tags"]:
        return None
    keys = {k.split("/")[0] for k in value["in"]} if _is_sparse(artifact, signature) else set(value["in"])
    return (
        Case(name, signature, value["in"], value["out"])
        if keys == set(artifact.signatures[signature]["inputs"])
        else None
    )


def _is_sparse(artifact: Artifact, signature: str) -> bool:
    return any("sparse" in info for info in artifact.signatures[signature]["inputs"].values())


def difference(expected: dict[str, np.ndarray], got: dict[str, np.ndarray]) -> float:
    """Largest difference relative to the output's largest magnitude; infinite where anything else differs."""
    worst = 0.0
    for key, a in expected.items():
        b = encode(got[key])
        if a.shape != b.shape:
            return np.inf
        if a.dtype.kind in "SUb" or a.dtype.kind in "iu":
            worst = max(worst, 0.0 if np.array_equal(a, b.astype(a.dtype)) else np.inf)
        elif a.size:
            wide = np.complex128 if a.dtype.kind == "c" else np.float64
            x, y = a.astype(wide), b.astype(wide)
            if not np.array_equal(np.isfinite(x), np.isfinite(y)):
                return np.inf
            finite = np.isfinite(x)
            if finite.any():
                worst = max(worst, float(np.abs(x - y)[finite].max() / (np.abs(x[finite]).max() + 1e-12)))
    return worst


def nearest_difference(artifact: Artifact, case: Case, got: dict[str, np.ndarray]) -> float:
    """The largest difference from the golden outputs; where the model as it was does not give those here, from its own.

    Sums of 16-bit floats depend on the CPU's instructions.
    """
    worst = difference(case.outputs, got)
    if worst <= TOLERANCE or artifact.is_bare or not artifact.path.is_dir():
        return worst
    run = next(run for name, run in loaders(artifact, artifact.path) if name == "tf.saved_model.load")
    before = {key: encode(value) for key, value in run(case).items()}
    is_golden = {k: difference({k: a}, before) <= TOLERANCE for k, a in case.outputs.items()}
    return difference({k: a if is_golden[k] else before[k] for k, a in case.outputs.items()}, got)


def encode(value: Any) -> np.ndarray:
    """As golden files store it."""
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        return array.view(np.uint16)
    if array.dtype.kind in "OU":
        return np.array([x if isinstance(x, bytes) else x.encode() for x in array.ravel().tolist()]).reshape(
            array.shape
        )
    return array


def restore(array: np.ndarray, dtype: str) -> np.ndarray:
    """The array that a caller feeds."""
    import tensorflow as tf

    if dtype == "bfloat16" and array.dtype == np.uint16:
        return array.view(tf.bfloat16.as_numpy_dtype)
    return array.astype(object) if array.dtype.kind == "S" else array


def loaders(artifact: Artifact, optimized: Path) -> Iterator[tuple[str, Callable[[Case], dict[str, Any]]]]:
    """The ways in which stock TensorFlow runs an optimized model."""
    if optimized.suffix == ".pb":
        yield "import_graph_def", lambda case: run_frozen(artifact, optimized, case)
        return
    yield "tf.saved_model.load", lambda case: run_v2(artifact, optimized, case)
    yield "Session", lambda case: run_v1(artifact, optimized, case)


def feeds(signature: Any, case: Case) -> dict[str, np.ndarray]:
    """Tensor name → value."""
    fed: dict[str, np.ndarray] = {}
    for key, info in signature["inputs"].items():
        if "sparse" in info:
            for part in ("values", "indices", "dense_shape"):
                fed[info["sparse"][part]] = case.inputs[f"{key}/{part}"]
        elif key in case.inputs:
            fed[info["tensor"]] = restore(case.inputs[key], info["dtype"])
    return fed


def run_frozen(artifact: Artifact, path: Path, case: Case) -> dict[str, Any]:
    import tensorflow as tf

    signature = artifact.signatures["serving_default"]
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        fetches = {k: info["tensor"] for k, info in signature["outputs"].items() if k in case.outputs}
        return session.run(fetches, feeds(signature, case))


def run_v1(artifact: Artifact, path: Path, case: Case) -> dict[str, Any]:
    """As TensorFlow Serving does: a Session, restore, init op; tensor names from the model that is loaded."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.loader.load(session, list(artifact.tags), str(path))
        if "saved_model_main_op" not in meta.collection_def and "legacy_init_op" not in meta.collection_def:
            _init_tables(session, meta, path)
        loaded = meta.signature_def[case.signature]
        names: dict[str, np.ndarray] = {}
        for key, info in loaded.inputs.items():
            sparse = info.coo_sparse
            if info.WhichOneof("encoding") == "coo_sparse":
                names[sparse.values_tensor_name] = case.inputs[f"{key}/values"]
                names[sparse.indices_tensor_name] = case.inputs[f"{key}/indices"]
                names[sparse.dense_shape_tensor_name] = case.inputs[f"{key}/dense_shape"]
            elif key in case.inputs:
                names[info.name] = restore(case.inputs[key], tf.as_dtype(info.dtype).name)
        return session.run({k: loaded.outputs[k].name for k in case.outputs}, names)


def _init_tables(session: Any, meta: Any, path: Path) -> None:
    """What the v1 loader leaves undone for hub modules: their tables, with the asset paths fed."""
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    fed: dict[str, str] = {}
    if "saved_model_assets" in meta.collection_def:
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            fed[asset.tensor_info.name] = os.path.join(path, "assets", asset.filename)
    session.run(tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS), fed)


_loaded: dict[tuple[Path, tuple[str, ...]], Any] = {}


def run_v2(artifact: Artifact, path: Path, case: Case) -> dict[str, Any]:
    """As TensorFlow 2 does; state lives on between the cases of one model."""
    import tensorflow as tf

    key = (path, artifact.tags)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = tf.saved_model.load(str(path), tags=list(artifact.tags))
    arguments: dict[str, Any] = {}
    declared = artifact.signatures.get(case.signature) or next(iter(artifact.signatures.values()))
    for name, info in declared["inputs"].items():
        if "sparse" in info:
            for part in ("indices", "values", "dense_shape"):
                arguments[f"{name}_{part}"] = tf.constant(case.inputs[f"{name}/{part}"])
        elif name in case.inputs:
            arguments[name] = tf.constant(restore(case.inputs[name], info["dtype"]))
    function = _loaded[key].signatures[case.signature]
    if artifact.kind == "keras":
        arguments = dict(zip(function.structured_input_signature[1], arguments.values(), strict=True))
    results = {k: v.numpy() for k, v in function(**arguments).items()}
    if artifact.kind == "keras":
        return dict(zip(case.outputs, results.values(), strict=True))
    return results
