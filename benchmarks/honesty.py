"""Is the verdict of `tfpare benchmark` honest on this machine? Counts over repeated runs.

    python benchmarks/honesty.py [--runs 20] [--kind itself --kind slower --kind first] [--work DIR] [--via session]

Makes a small convolutional network and two others from it, and benchmarks each against the first again and again:

- `itself`: the same files. Should say "no difference seen".
- `slower`: a tenth more layers, all alike, so that a call takes 10 % longer. Should be found slower in warm calls.
- `first`: the first call does more (a variable counts calls). Should be found slower in the first call, and only there.

Run it while nothing else runs to see what the estimator can do, and while something else runs to see what it does then.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tfpare.measure.benchmark import benchmark
from tfpare.measure.types import BenchmarkOptions, BenchmarkReport, Verdict, Via

LAYERS, MORE_LAYERS = 20, 22
SIDE, CHANNELS = 56, 32
FIRST_CALL_ROUNDS = 40
KINDS = ("itself", "slower", "first")


def make_model(path: Path, layers: int, slow_first_call: bool) -> None:
    """Writes a SavedModel of equal convolutions."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    scale = (9 * CHANNELS) ** -0.5
    kernels = [tf.constant(rng.normal(0, scale, (3, 3, CHANNELS, CHANNELS)), tf.float32) for _ in range(layers)]

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = tf.Variable(0, dtype=tf.int32)

        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, CHANNELS), tf.float32, "x")])
        def run(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            # Both models count, so that they differ in nothing but how much the first call does.
            square = tf.ones((800, 800)) / 800.0
            first = tf.equal(self.calls.assign_add(1), 1)
            rounds = tf.where(first, FIRST_CALL_ROUNDS if slow_first_call else 0, 0)
            work = tf.while_loop(lambda k, m: k < rounds, lambda k, m: (k + 1, m @ square), (0, square))[1]
            for kernel in kernels:
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
            return {"y": tf.reduce_mean(x, (1, 2)) + 0.0 * work[0, 0]}

    model = Model()
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.run})


def make_models(folder: Path) -> dict[str, Path]:
    """The models by kind; `itself` is the first."""
    paths = {kind: folder / kind for kind in KINDS}
    for kind, path in paths.items():
        if not path.is_dir():
            make_model(path, MORE_LAYERS if kind == "slower" else LAYERS, slow_first_call=kind == "first")
    return paths


def verdicts(report: BenchmarkReport) -> dict[str, tuple[Verdict, str]]:
    """Verdict and interval of each phase."""
    found: dict[str, tuple[Verdict, str]] = {}
    for ratio in report.ratios:
        feeding = "" if ratio.workload is None or ratio.workload.feeding else ", without feeding"
        text = f"{ratio.interval.value:.3f} [{ratio.interval.low:.3f}, {ratio.interval.high:.3f}]"
        found[ratio.phase + feeding] = ratio.verdict, text
    return found


def is_right(kind: str, found: dict[str, tuple[Verdict, str]]) -> bool:
    """Whether the run says what was planted."""
    said = {phase: verdict for phase, (verdict, _) in found.items()}
    if kind == "slower":
        return said["warm calls"] is Verdict.SLOWER
    if kind == "itself":
        return said["warm calls"] is Verdict.NONE
    return said["first call"] is Verdict.SLOWER and said["warm calls"] is Verdict.NONE and said["load"] is Verdict.NONE


def main() -> int:
    """Prints each run and the counts; returns 1 if a kind is right in fewer than 19 of 20 runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--work", type=Path, help="where the models are, or are made")
    parser.add_argument("--via", default="auto", choices=[v.value for v in Via])
    parser.add_argument("--repeats", type=int, default=BenchmarkOptions().repeats)
    parser.add_argument("--min-seconds", type=float, default=BenchmarkOptions().min_seconds)
    arguments = parser.parse_args()
    counts, right = dict[str, Counter[str]](), Counter[str]()
    kinds = arguments.kind or list(KINDS)
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_models(arguments.work or Path(scratch))
        for run in range(arguments.runs):
            options = BenchmarkOptions(
                repeats=arguments.repeats,
                min_seconds=arguments.min_seconds,
                seed=run,
                via=Via(arguments.via),
                measure_zip=False,
            )
            for kind in kinds:
                begin = time.perf_counter()
                report = benchmark(paths["itself"], paths[kind], options=options)
                found = verdicts(report)
                right[kind] += is_right(kind, found)
                for phase, (verdict, text) in found.items():
                    counts.setdefault(f"{kind}, {phase}", Counter())[verdict.value] += 1
                    print(f"run {run + 1:>2} {kind:8} {phase:28} {text:24} {verdict.value}", flush=True)
                others = report.environment.others_share
                print(f"       {time.perf_counter() - begin:.0f} s, others took {others:.0%}", flush=True)
    for name, one in counts.items():
        print(f"{name:38} {dict(one)}")
    for kind in kinds:
        print(f"{kind}: right in {right[kind]} of {arguments.runs} runs")
    return 0 if all(right[k] >= 0.95 * arguments.runs for k in kinds) else 1


if __name__ == "__main__":
    sys.exit(main())
