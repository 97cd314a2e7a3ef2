"""Time of tfpare itself against the size of the graph: generated graphs of 10,000 and 100,000 nodes, no verification.

    python benchmarks/scaling.py [--sizes 10000 100000] [--preset fast]

The graph is a long chain of blocks of twenty nodes: convolution, batch norm in stored and in unfolded form,
activations, identities, reshapes, duplicate subexpressions and a residual addition.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tfpare.io import graphdef
from tfpare.io.op_registry import op_spec
from tfpare.io.read import ReadOptions, read
from tfpare.ir.graph import Graph, Value
from tfpare.ir.types import Shape, dtype
from tfpare.pipeline import make_pipeline

CHANNELS = 4
NODES_PER_BLOCK = 23


def block(graph: Graph, x: Value, rng: np.random.Generator) -> Value:
    """Adds one block that reads and returns [?,4,4,CHANNELS] float32."""
    float32 = dtype("float32")

    def const(*shape: int) -> Value:
        return graph.const(rng.uniform(0.5, 1.0, shape).astype(np.float32))

    def add(op: str, *inputs: Value, **attrs: object) -> Value:
        return graph.add(op, inputs, {"T": float32, **attrs}).out()  # type: ignore[dict-item]

    conv = add("Conv2D", x, const(1, 1, CHANNELS, CHANNELS), strides=(1, 1, 1, 1), padding="SAME")
    statistics = [const(CHANNELS) for _ in range(4)]
    normed = add("FusedBatchNormV3", conv, *statistics, U=float32, is_training=False)
    relu = add("Relu", add("Identity", normed))
    conv = add("Conv2D", relu, const(1, 1, CHANNELS, CHANNELS), strides=(1, 1, 1, 1), padding="SAME")
    variance = add("Rsqrt", add("AddV2", const(CHANNELS), const()))
    shifted = add("AddV2", add("Mul", conv, add("Mul", variance, const(CHANNELS))), const(CHANNELS))
    sigmoid = add("Mul", add("Sigmoid", shifted), add("Sigmoid", shifted))
    return add("Tanh", add("AddV2", sigmoid, x))


def make(nodes: int, path: Path) -> None:
    """Writes a frozen graph of about that many nodes."""
    from tensorflow.core.framework import graph_pb2

    rng = np.random.default_rng(0)
    graph = Graph("main", op_spec)
    shape = Shape((None, 4, 4, CHANNELS))
    value = graph.add("Placeholder", (), {"dtype": dtype("float32"), "shape": shape}, name="x", shapes=(shape,)).out()
    while len(graph) < nodes:
        value = block(graph, value, rng)
    graph.add("Identity", [value], {"T": dtype("float32")}, name="y")
    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = graph.producer
    graphdef.write_nodes(graph, graph_def)
    path.write_bytes(graph_def.SerializeToString())


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(nodes: int, preset: str) -> float:
    """Prints and returns the seconds that reading and rewriting take."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "graph.pb"
        make(nodes, path)
        models = []
        read_s = timed(lambda: models.extend(read(path, ReadOptions(input_names=("x",), output_names=("y",)))))
    before = models[0].count_nodes()
    pipeline = make_pipeline(preset)
    rewrite_s = timed(lambda: pipeline.run(models[0]))
    print(
        f"{before:>8} nodes -> {models[0].count_nodes():>7}   read {read_s:6.2f} s   rewrite {rewrite_s:6.2f} s",
        flush=True,
    )
    for report in sorted(pipeline.reports.values(), key=lambda r: -r.seconds)[:8]:
        print(f"           {report.name:<32} {report.applied:>7} applied {report.seconds:7.2f} s")
    return read_s + rewrite_s


def main() -> None:
    """Prints one row a size, and how the time grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--preset", default="fast")
    arguments = parser.parse_args()
    measure(100, arguments.preset)  # imports and kernels' first calls are not the graph's cost
    times = [measure(size, arguments.preset) for size in arguments.sizes]
    for (a, b), (s, t) in zip(pairwise(arguments.sizes), pairwise(times), strict=True):
        print(f"{b / a:.0f} times the nodes took {t / s:.1f} times as long")


if __name__ == "__main__":
    main()
