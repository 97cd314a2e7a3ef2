"""Does `tfpare evaluate --against` tell a loss from none? Plants losses in the MNIST ConvNet and counts the verdicts.

    python benchmarks/make_mnist.py MNIST_DIR
    python benchmarks/evaluation_honesty.py MNIST_DIR [--runs 20]

Each run takes the trained ConvNet of the tests, and

- plants a loss: of every 50th image (by the sum of its pixels modulo 50, another remainder each run) the class shares
  are moved on by one class, so that about 2 % of the answers that were right are wrong. The verdict must be "loss";
- plants none: the same graph, with shares that are rounded otherwise (scaled by 1 + k/1000 each). The verdict must be
  "no loss seen".

The figures do not depend on the machine's load. The exit code is 1 when a verdict is wrong in more than 1 of 20 runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tfpare

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "fixtures" / "tf1_mnist_convnet" / "frozen.pb"
EVERY = 50
ALLOWED_WRONG = 1 / 20


def main() -> int:
    """Counts verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path, help="what make_mnist.py wrote")
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    data, counts = given.mnist / "mnist.npz", {"loss": 0, "no loss seen": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for run in range(given.runs):
            for planted, plant in (("loss", _plant_loss), ("no loss seen", _plant_rounding)):
                other = Path(scratch) / f"{run}.pb"
                plant(other, run)
                names = {"input_names": ("images:0",), "output_names": ("probabilities:0",)}
                options = tfpare.EvaluateOptions(metrics=("top1",), against=other, batch_size=250, **names)
                test = tfpare.evaluate(MODEL, data, options).paired[0]
                counts[planted] += test.verdict == planted
                print(f"run {run + 1}, planted {planted}: {test.words}", flush=True)
    for planted, right in counts.items():
        print(f"planted {planted}: said so in {right} of {given.runs} runs")
    return int(any(given.runs - right > ALLOWED_WRONG * given.runs for right in counts.values()))


def _plant_loss(out: Path, remainder: int) -> None:
    import tensorflow as tf

    def wrong(shares, images):
        total = tf.cast(tf.reduce_sum(images, [1, 2, 3]), tf.int64)
        chosen = tf.equal(tf.math.floormod(total, EVERY), remainder % EVERY)
        return tf.where(chosen[:, tf.newaxis], tf.roll(shares, 1, axis=1), shares)

    _write(out, wrong)


def _plant_rounding(out: Path, run: int) -> None:
    _write(out, lambda shares, images: shares * (1 + (run + 1) / 1000))


def _write(out: Path, change) -> None:
    """The ConvNet with `probabilities` changed; the tensors keep their names."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(MODEL.read_bytes())
    with tf.Graph().as_default() as graph:
        shares, images = tf.import_graph_def(graph_def, name="old", return_elements=["probabilities:0", "images:0"])
        tf.identity(change(shares, images), "probabilities")
        made = graph.as_graph_def()
    for node in made.node:  # the input keeps its name, too
        node.name = "images" if node.name == "old/images" else node.name
        for k, name in enumerate(node.input):
            node.input[k] = "images" if name == "old/images" else name
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(made, name="")
        tf.argmax(graph.get_tensor_by_name("probabilities:0"), axis=1, name="classes")
        out.write_bytes(graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    sys.exit(main())
