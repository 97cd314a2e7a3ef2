"""Cases that were run through the real Graph Transform Tool: running ours on them and judging the result.

A case has the original graph, what TensorFlow 1.15 answered to it, what the real tool made of it and how that ended
(`status`). See tests/data/gtt/*/case.json; `ideal` says what is possible where the real tool fell short.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "data" / "gtt"

# More nodes than the real tool left, each for a reason.
MORE_NODES = {
    "fn_quantize_weights_inside": "weights inside the function are stored in eight bits; the tool does not look there",
    "fobn_concat_three": "the batch norm behind three convolutions is folded, into a bias for each; the tool leaves it",
    "qn_add_v2_kept": "AddV2 becomes eight-bit; the tool leaves it in float",
    "qn_concat_v2": "ConcatV2 becomes eight-bit; the tool leaves it in float",
    "rn_identity_in_while": "the pivot of the loop's branch stays: control edges hang on it",
    "sg_no_identity": "the lookup becomes a table without an Identity in between; the tool does not match it",
}


@dataclass(frozen=True)
class Case:
    name: str

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @cached_property
    def facts(self) -> dict:
        return json.loads((self.folder / "case.json").read_text())

    def graph_def(self, file: str = "input.pb"):
        from tensorflow.core.framework import graph_pb2

        graph_def = graph_pb2.GraphDef()
        graph_def.ParseFromString((self.folder / file).read_bytes())
        return graph_def

    def expected(self) -> dict[str, np.ndarray]:
        path = self.folder / "expected.npz"
        return dict(np.load(path, allow_pickle=True)) if path.exists() else {}

    def feeds(self) -> dict[str, np.ndarray]:
        arrays = dict(np.load(self.folder / "feed.npz", allow_pickle=True))
        if self.facts["feed_after"]:  # the transform changes what callers feed: 8-bit numbers over a range
            _, low, high = self.facts["feed_after"].split(":")
            scale = 255 / (float(high) - float(low))
            return {k: np.clip(np.round((v - float(low)) * scale), 0, 255).astype(np.uint8) for k, v in arrays.items()}
        return arrays


def all_cases() -> list[Case]:
    return [Case(folder.name) for folder in sorted(FOLDER.iterdir())]


def run(graph_def, case: Case) -> dict[str, np.ndarray]:
    """The answers of a transformed graph in this TensorFlow."""
    import tensorflow as tf

    runnable = type(graph_def)()
    runnable.CopyFrom(graph_def)
    for node in runnable.node:
        node.device = ""
    names = {n.name for n in runnable.node}
    feeds = {_tensor(k): v for k, v in case.feeds().items() if k.partition(":")[0] in names}
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(runnable, name="")
        for op in case.facts["init_after"]:
            if op in names:
                session.run(graph.get_operation_by_name(op))
        fetches = case.facts["fetches"]
        return dict(zip(fetches, session.run([_tensor(f) for f in fetches], feeds), strict=True))


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def difference(case: Case, answers: dict[str, np.ndarray]) -> str:
    """How the answers miss the original's, or nothing."""
    atol, rtol = (case.facts["tolerance"][key] for key in ("atol", "rtol"))
    for key, want in case.expected().items():
        got = answers[key]
        if got.shape != want.shape:
            return f"{key} has shape {got.shape}, not {want.shape}"
        if want.dtype.kind in "OSUb":
            if not (got == want).all():
                return f"{key} differs"
            continue
        a, b = got.astype(np.float64), want.astype(np.float64)
        scale = max(1.0, float(np.nanmax(np.abs(b), initial=0.0))) if rtol else 1.0
        if not np.allclose(a, b, atol=atol * scale, rtol=rtol, equal_nan=True):
            return f"{key} differs by {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def shortfall(case: Case, graph_def) -> str:
    """What is missing to the case's ideal, or nothing."""
    ideal = case.facts["ideal"]
    ops = Counter(n.op for n in graph_def.node)
    inner = Counter(n.op for f in graph_def.library.function for n in f.node_def)
    missing = [f"{op} is left" for op in ideal.get("absent_ops", ()) if ops[op]]
    missing += [f"{op} is missing" for op in ideal.get("has_ops", ()) if not ops[op]]
    missing += [f"{ops[op]} {op}" for op, most in ideal.get("max_op", {}).items() if ops[op] > most]
    missing += [f"{op} is left in a function" for op in ideal.get("absent_function_ops", ()) if inner[op]]
    missing += [f"{op} is missing in functions" for op in ideal.get("has_function_ops", ()) if not inner[op]]
    if len(graph_def.node) > ideal.get("max_nodes", len(graph_def.node)):
        missing.append(f"{len(graph_def.node)} nodes")
    if graph_def.ByteSize() > ideal.get("max_bytes", graph_def.ByteSize()):
        missing.append(f"{graph_def.ByteSize()} bytes")
    if len(graph_def.library.function) > ideal.get("max_functions", len(graph_def.library.function)):
        missing.append(f"{len(graph_def.library.function)} functions")
    if ideal.get("keep_versions") and graph_def.versions.producer != case.facts["before"]["producer"]:
        missing.append("the version is lost")
    if ideal.get("no_function_devices") and any(n.device for f in graph_def.library.function for n in f.node_def):
        missing.append("devices are left in functions")
    return ", ".join(missing)


def size(graph_def) -> int:
    """Nodes, those of functions included."""
    return len(graph_def.node) + sum(len(f.node_def) for f in graph_def.library.function)


def tool_size(case: Case) -> int | None:
    """Nodes that the real tool left, None where it made nothing or something wrong."""
    after = case.facts.get("after")
    if not after or case.facts["status"] in ("result_invalid", "result_wrong", "result_hang", "gtt_error", "gtt_crash"):
        return None
    return after["nodes"] + sum(after["function_ops"].values())
