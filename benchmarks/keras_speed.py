"""Keras 3 applications before and after `tfpare optimize`: what is left of batch norm, file sizes, latency.

    python benchmarks/keras_speed.py WORK_DIR [names...] [--calls 60] [--rounds 5] [--batch 1 --batch 16]

Makes the models (see `make_keras_models.py`) and optimizes them in WORK_DIR where they are not there yet, then times
original and optimized SavedModel in fresh processes that take turns (see `latency.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
NAMES = ("MobileNetV2", "ResNet50", "InceptionV3", "EfficientNetB0")
ARITHMETIC = ("Mul", "AddV2", "Add", "Sub", "Rsqrt", "RealDiv", "FusedBatchNormV3")


def prepare(name: str, work: Path) -> tuple[Path, Path]:
    """The original and the optimized SavedModel."""
    from tfpare.api import OptimizeOptions, optimize
    from tfpare.verifier import VerifyOptions

    original, optimized = work / "keras" / name, work / "optimized" / name
    if not original.is_dir():
        subprocess.run([sys.executable, str(HERE / "make_keras_models.py"), str(work / "keras"), name], check=True)
    if not optimized.is_dir():
        optimized.parent.mkdir(exist_ok=True)
        data = VerifyOptions(data=original.with_name(f"{name}.inputs.npz"))
        report = optimize(original, optimized, OptimizeOptions(verification=data))
        assert report.verification is not None
        worst = max(report.verification.outputs, key=lambda o: o.max_rel)
        print(f"{name}: nodes {report.before.nodes} -> {report.after.nodes}, "
              f"files {report.before.file_bytes / 1e6:.1f} -> {report.after.file_bytes / 1e6:.1f} MB, "
              f"largest difference {worst.max_rel:.1e} (allowed {worst.tolerance:.1e}), "
              + ", ".join(f"{k} {v:.1f} s" for k, v in report.seconds.items()))  # fmt: skip
    return original, optimized


def left_over(optimized: Path) -> dict[str, list[str]]:
    """Arithmetic that remains, by op: the name of each node, without the part that all share."""
    from tfpare.io.read import read

    found: dict[str, list[str]] = {}
    for graph in read(optimized)[0].graphs[:1]:
        for node in graph:
            if node.op in ARITHMETIC:
                found.setdefault(node.op, []).append("/".join(node.name.split("/")[-2:]))
    return found


def latency(name: str, work: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """`latency.py` in its own process, as data."""
    command = [sys.executable, str(HERE / "latency.py"), str(work / "keras" / name), str(work / "optimized" / name)]
    command += ["--inputs", str(work / "keras" / f"{name}.inputs.npz"), "--json"]
    command += ["--calls", str(arguments.calls), "--rounds", str(arguments.rounds)]
    for batch in arguments.batch or [1, 16]:
        command += ["--batch", str(batch)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["batches"]


def main() -> None:
    """Prints what is left and how long calls take, a model at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="*", default=list(NAMES))
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--no-latency", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.names:
        _, optimized = prepare(name, arguments.work)
        for op, nodes in left_over(optimized).items():
            print(f"{name}: {len(nodes)} {op} left: {', '.join(nodes)}")
        for row in latency(name, arguments.work, arguments) if not arguments.no_latency else ():
            print(f"{name}: {json.dumps(row)}", flush=True)


if __name__ == "__main__":
    main()
