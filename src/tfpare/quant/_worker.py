"""The child process that measures ranges: `python -m tfpare.quant._worker`. Values stay here, summaries leave."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tfpare import framing
from tfpare._worker import error_text, serve_and_exit, take_pipes
from tfpare.ir.types import Array
from tfpare.quant.observers import Observer, merge_states

_WARM_CALLS, _CALLS_A_TURN = 3, 5


class Measurer:
    """A graph with an observer for each tensor of interest.

    Args:
        path: of the GraphDef.
        chunks: names of tensors that are fetched together.
        keeps_histogram: whether observers keep one.
    """

    def __init__(self, path: str, chunks: list[list[str]], keeps_histogram: bool) -> None:
        self._session = _session(path)
        self._chunks = chunks
        self.observers = {name: Observer(keeps_histogram) for chunk in chunks for name in chunk}

    def run(self, feeds: dict[str, Array]) -> str:
        """Feeds a batch; returns the first tensor that holds NaN or infinities, or nothing."""
        for chunk in self._chunks:
            for name, value in zip(chunk, self._session.run(chunk, feeds), strict=True):
                if not self.observers[name].update(value):
                    return name
        return ""


def _times(path: str, targets: list[str], seconds: float) -> dict[str, float]:
    """The shortest time of a call of each node, in turns, so long for each."""
    session = _session(path, _fusing_alone)
    calls = {name: session.make_callable([session.graph.get_operation_by_name(name)]) for name in targets}
    for call in calls.values():
        for _ in range(_WARM_CALLS):
            call()
    best = dict.fromkeys(targets, float("inf"))
    end = time.perf_counter() + seconds * len(targets)
    while time.perf_counter() < end:
        for name, call in calls.items():
            for _ in range(_CALLS_A_TURN):
                begin = time.perf_counter()
                call()
                best[name] = min(best[name], time.perf_counter() - begin)
    return best


def _session(path: str, configure: Callable[[Any], None] | None = None) -> Any:
    import tensorflow as tf

    from tfpare.io.graphdef import read_graphdef

    graph: Any = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(read_graphdef(Path(path)), name="")
    config: Any = tf.compat.v1.ConfigProto()
    (configure or _no_rewrites)(config)
    return tf.compat.v1.Session(graph=graph, config=config)


def _no_rewrites(config: Any) -> None:
    """TensorFlow's rewrites can lose a tensor that is fetched; there is little to gain where every tensor is."""
    config.graph_options.rewrite_options.disable_meta_optimizer = True


def _fusing_alone(config: Any) -> None:
    """Ops become one kernel as in any model, but nothing is computed from constants beforehand."""
    from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

    options, off = config.graph_options.rewrite_options, rewriter_config_pb2.RewriterConfig.OFF
    for name in ("constant_folding", "arithmetic_optimization", "common_subgraph_elimination", "function_optimization"):
        setattr(options, name, off)
    options.remapping = rewriter_config_pb2.RewriterConfig.ON
    options.min_graph_nodes = -1
    config.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0


def _serve(read: Callable[[int], bytes], out: BinaryIO) -> None:
    measurer: Measurer | None = None
    opened: str = ""
    session: Any = None
    while True:
        header, arrays = framing.receive(read)
        try:
            if header["do"] == "load":
                measurer = Measurer(header["path"], header["chunks"], header["histogram"])
                measurer.observers.update(merge_states(arrays))
                framing.send(out, {"ok": True})
                continue
            if header["do"] == "evaluate":
                if opened != header["path"]:
                    opened, session = header["path"], _session(header["path"])
                values = session.run(header["fetch"], arrays)
                framing.send(out, {"ok": True}, dict(zip(header["fetch"], values, strict=True)))
                continue
            if header["do"] == "time":
                framing.send(out, {"ok": True, "times": _times(header["path"], header["targets"], header["seconds"])})
                continue
            assert measurer is not None
            if header["do"] == "run":
                framing.send(out, {"ok": True, "not_finite": measurer.run(arrays)})
            else:
                framing.send(out, {"ok": True}, {n: o.state() for n, o in measurer.observers.items()})
        except Exception as error:
            framing.send(out, {"ok": False, "error": error_text(error)})


def main() -> None:
    """Serves requests until the parent closes the pipe."""
    read, replies = take_pipes()
    import tensorflow as tf  # while the parent still works

    for library in sys.argv[1:]:
        if not library.startswith("--"):
            tf.load_op_library(library)
    serve_and_exit(_serve, read, replies)


if __name__ == "__main__":
    main()
