"""Tracing calls op by op with TensorFlow's own tracer, in the child, and writing what TensorBoard reads."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from tfpare.ir.types import Array
from tfpare.measure.calls import SessionCalls

_UNTIMED = frozenset({"_SOURCE", "_SINK"})
_LARGEST_SHOWN_CONSTANT_BYTES = 1024


def trace(path: SessionCalls, feeds: dict[str, Array], calls: int, folder: Path | None) -> list[list[Any]]:
    """Traces calls.

    Args:
        path: the loaded model.
        feeds: of each call.
        calls: how many.
        folder: also write the graph and one call's trace there.

    Returns:
        for each node of the graph as it runs (after TensorFlow's own rewrites): name, op, milliseconds in all calls,
        number of executions.
    """
    import tensorflow as tf

    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    feed_dict, run = path.feed_dict(feeds), path.model.session.run
    run(path.fetches, feed_dict, options=options, run_metadata=tf.compat.v1.RunMetadata())  # prepares the tracer
    ms, counts, ops = defaultdict[str, float](float), defaultdict[str, int](int), dict[str, str]()
    metadata = None
    for _ in range(calls):
        metadata = tf.compat.v1.RunMetadata()
        run(path.fetches, feed_dict, options=options, run_metadata=metadata)
        _add(metadata, ms, counts, ops)
    if folder is not None:
        _write_events(path.graph, metadata, folder)
    return [[name, ops.get(name, "?"), ms[name], counts[name]] for name in ms]


def _add(metadata: Any, ms: dict[str, float], counts: dict[str, int], ops: dict[str, str]) -> None:
    for graph in metadata.partition_graphs:
        ops.update({n.name: n.op for n in graph.node})
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            if node.node_name not in _UNTIMED:
                ms[node.node_name] += (node.op_end_rel_nanos - node.op_start_rel_nanos) / 1e6
                counts[node.node_name] += 1


def _write_events(graph: Any, metadata: Any, folder: Path) -> None:
    """The graph as loaded and as it runs, and the trace of a call. Values of large constants are left out."""
    import tensorflow as tf

    with tf.Graph().as_default():  # event writers of old refuse to work eagerly
        graphs = {"loaded": graph.as_graph_def(), "as_it_runs": _whole(metadata)}
        metadata.ClearField("partition_graphs")
        for name, graph_def in graphs.items():
            shown = _without_values(graph_def)
            writer = tf.compat.v1.summary.FileWriter(str(folder / name))
            writer.add_graph(None, graph_def=shown)  # pyright: ignore[reportCallIssue]
            if name == "loaded":
                writer.add_run_metadata(metadata, "call")
            writer.close()


def _whole(metadata: Any) -> Any:
    from tensorflow.core.framework import graph_pb2

    whole = graph_pb2.GraphDef()
    for part in metadata.partition_graphs:
        whole.MergeFrom(part)
    return whole


def _without_values(graph_def: Any) -> Any:
    for nodes in (graph_def.node, *(f.node_def for f in graph_def.library.function)):
        for node in nodes:
            if node.op == "Const" and node.ByteSize() > _LARGEST_SHOWN_CONSTANT_BYTES:
                tensor = node.attr["value"].tensor
                shape, dtype = tensor.tensor_shape.SerializeToString(), tensor.dtype
                tensor.Clear()
                tensor.dtype = dtype
                tensor.tensor_shape.ParseFromString(shape)
    return graph_def
