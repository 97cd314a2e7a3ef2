"""Before | After | Comment for the models of the 2018 experiment: optimized here, then compared on real data.

    python benchmarks/make_mnist.py MNIST_DIR && python benchmarks/make_photos.py PHOTOS_DIR
    python benchmarks/seed_experiment.py FIXTURES MNIST_DIR PHOTOS_DIR [--only mnist,inception_v3]

FIXTURES holds `large/` with TF-slim models as frozen graphs. The MNIST ConvNet is judged by its accuracy on 10,000
test images; the large ones have random weights: there the agreement on photographs is what counts. Prints one Markdown
table a model.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

MNIST = Path(__file__).resolve().parent.parent / "tests" / "data" / "fixtures" / "tf1_mnist_convnet" / "frozen.pb"


@dataclass(frozen=True)
class Model:
    """A frozen graph, its tensors, and what to compare it on."""

    path: str
    inputs: str
    outputs: str
    data: tuple[str, ...]


def models(fixtures: Path, mnist: Path, photos: Path) -> dict[str, Model]:
    """By name."""
    pictures = ("--data", str(photos), "--limit", "100", "--scale", str(2 / 255), "--mean", "1")
    labelled = ("--data", str(mnist / "mnist.npz"), "--metric", "top1", "--output", "probabilities")

    def large(name: str, side: int, outputs: str = "logits_flat:0,probabilities:0") -> Model:
        data = (*pictures, "--resize", f"{side}x{side}")
        return Model(str(fixtures / "large" / name / "frozen.pb"), "input:0", outputs, data)

    return {
        "mnist": Model(str(MNIST), "images:0", "probabilities:0", labelled),
        "inception_v3": large("tf1_inception_v3", 299),
        "resnet_v2_152": large("tf1_resnet_v2_152", 299),
        "pnasnet_large": large("tf1_pnasnet_large", 331),
    }


def run(*arguments: str) -> None:
    """A command of tfpare; its table goes to stdout."""
    subprocess.run([sys.executable, "-m", "tfpare", *arguments], check=True)


def main() -> None:
    """Optimizes and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fixtures", "mnist", "photos"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", default="3")
    given = parser.parse_args()
    known = models(given.fixtures, given.mnist, given.photos)
    for name in [n for n in given.only.split(",") if n] or known:
        model = known[name]
        tensors = ("--input_names", model.inputs, "--output_names", model.outputs)
        with TemporaryDirectory() as scratch:
            after = str(Path(scratch) / "after.pb")
            print(f"\n## {name}\n", flush=True)
            run("optimize", model.path, "-o", after, *tensors, "--no-verify")
            run("compare", model.path, after, *tensors, *model.data, "--markdown", "--repeats", given.repeats)


if __name__ == "__main__":
    main()
