"""Time of every exact transform against the size of the graph: 10,000 and 100,000 nodes.

    python benchmarks/transform_scaling.py [--sizes 10000 100000] [--only NAME,…] [--repeat 3]

The graph is the one of `scaling.py`. Each transform runs alone on a fresh copy, smallest of the repeats; reading the
GraphDef into the form that the transform works on, and back, is part of it.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from scaling import make

from tfpare.compat import TransformGraph, registry
from tfpare.engine.rule import Effect
from tfpare.io import graphdef, start

ARGUMENTS = {
    "insert_logging": "(op=Tanh)",
    "remove_nodes": "(op=Identity)",
    "set_device": '(device="/device:CPU:0")',
    "remove_attribute": "(attribute_name=_foo)",
    "rename_attribute": "(old_attribute_name=_foo, new_attribute_name=_bar)",
    "rename_node": "(old_node_name=Tanh, new_node_name=renamed)",
    "rename_op": "(old_op_name=AddV2, new_op_name=Add)",
}


def seconds(transform: str, graph_def: object, output: str, repeat: int) -> float:
    """The smallest of `repeat` runs."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        begin = time.perf_counter()
        TransformGraph(graph_def, ["x"], [output], [transform])
        best = min(best, time.perf_counter() - begin)
    return best


def main() -> None:
    """Prints one line a transform: seconds for each size, and how many times longer the largest took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", default="")
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    start.start_tensorflow()
    registry.load_all()
    wanted = [n for n in given.only.split(",") if n] or sorted(
        t.name for t in registry.TRANSFORMS.values() if t.effect is not Effect.LOSSY
    )
    graphs: list[tuple[object, str]] = []
    with TemporaryDirectory() as scratch:
        for size in given.sizes:
            path = Path(scratch) / f"{size}.pb"
            make(size, path)
            graph_def = graphdef.read_graphdef(path)
            graphs.append((graph_def, graph_def.node[-1].name))
            print(f"{size:,} asked, {len(graph_def.node):,} nodes", flush=True)
    print(f"{'transform':32}" + "".join(f"{s:>12,}" for s in given.sizes) + f"{'times':>8}")
    for name in wanted:
        call = name + ARGUMENTS.get(name, "")
        times = [seconds(call, graph_def, output, given.repeat) for graph_def, output in graphs]
        print(
            f"{name:32}" + "".join(f"{t:>10.2f} s" for t in times) + f"{times[-1] / max(times[0], 1e-9):>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
