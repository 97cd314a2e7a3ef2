"""Before | After | Comment for the models of the 2018 experiment: optimized here, then compared on real data.

    python benchmarks/make_mnist.py MNIST_DIR && python benchmarks/make_photos.py PHOTOS_DIR
    python benchmarks/seed_experiment.py FIXTURES MNIST_DIR PHOTOS_DIR [--only mnist,inception_v3] [--precision auto]

FIXTURES holds `large/` with TF-slim models as frozen graphs. The MNIST ConvNet is judged by its accuracy on 10,000
test images; the large ones have random weights: there the agreement on photographs is what counts. Prints one Markdown
table a model; for the SSD detector the numbers of ops before and after as well, and with `--pages DIR` a page with the
pie of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

MNIST = Path(__file__).resolve().parent.parent / "tests" / "data" / "fixtures" / "tf1_mnist_convnet" / "frozen.pb"
SSD_OUTPUTS = "detection_boxes:0,detection_scores:0,detection_classes:0,num_detections:0"
OPS_SHOWN = 15


@dataclass(frozen=True)
class Model:
    """A frozen graph, its tensors, and what to compare it on; `metric` where the data has labels for it."""

    path: str
    inputs: str
    outputs: str
    data: tuple[str, ...]
    metric: str = ""
    metric_output: str = ""
    shows_ops: bool = False


def models(fixtures: Path, mnist: Path, photos: Path) -> dict[str, Model]:
    """By name."""
    pictures = ("--data", str(photos), "--limit", "100", "--scale", str(2 / 255), "--mean", "1")
    labelled = ("--data", str(mnist / "mnist.npz"))

    def large(name: str, side: int, outputs: str = "logits_flat:0,probabilities:0") -> Model:
        data = (*pictures, "--resize", f"{side}x{side}")
        return Model(str(fixtures / "large" / name / "frozen.pb"), "input:0", outputs, data)

    def detector() -> Model:
        path = fixtures / "large" / "tf1_ssd_inception_v2_coco" / "frozen_inference_graph.pb"
        data = ("--data", str(photos), "--limit", "20", "--resize", "300x300")
        return Model(str(path), "image_tensor:0", SSD_OUTPUTS, data, shows_ops=True)

    return {
        "mnist": Model(str(MNIST), "images:0", "probabilities:0", labelled, "top1", "probabilities"),
        "inception_v3": large("tf1_inception_v3", 299),
        "resnet_v2_152": large("tf1_resnet_v2_152", 299),
        "pnasnet_large": large("tf1_pnasnet_large", 331),
        "ssd_inception_v2": detector(),
    }


def run(*arguments: str) -> str:
    """A command of tfpare; what it says on stdout. `compare` ends with 1 where it sees a loss, and tells it."""
    done = subprocess.run([sys.executable, "-m", "tfpare", *arguments], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in ((0, 1) if arguments[0] == "compare" else (0,)):
        sys.exit(f"tfpare {arguments[0]} ended with {done.returncode}")
    return done.stdout


def op_table(report: str) -> str:
    """The most frequent ops before and after, from the JSON of `tfpare optimize`."""
    stats = json.loads(report)
    before, after = stats["before"]["ops"], stats["after"]["ops"]
    names = sorted(before.keys() | after.keys(), key=lambda op: -before.get(op, 0) - after.get(op, 0))
    rows = [(op, before.get(op, 0), after.get(op, 0)) for op in names[:OPS_SHOWN]]
    rest = [sum(counts.get(op, 0) for op in names[OPS_SHOWN:]) for counts in (before, after)]
    rows += [(f"{len(names[OPS_SHOWN:])} others", *rest), ("all", sum(before.values()), sum(after.values()))]
    return "\n".join(["| op | before | after |", "|---|---|---|", *(f"| {op} | {a:,} | {b:,} |" for op, a, b in rows)])


def candidate_table(report: str) -> str:
    """What `--precision` tried, from the JSON of `tfpare optimize`."""
    rows = ["| candidate | layers in float | quality | ms | |", "|---|---|---|---|---|"]
    for one in json.loads(report)["search"]["candidates"]:
        milliseconds = "" if one["milliseconds"] is None else f"{one['milliseconds']:.1f}"
        verdict = "chosen" if one["chosen"] else one["note"]
        cells = (one["name"], str(len(one["in_float"])), one["quality"], milliseconds, verdict)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Optimizes and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fixtures", "mnist", "photos"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", default="3")
    parser.add_argument("--precision", default="keep", help="as for tfpare optimize; auto is judged on the same data")
    parser.add_argument("--max-drop", default="0.02", help="with --precision: loss, or disagreement, allowed")
    parser.add_argument("--pages", type=Path, help="a directory for pages")
    given = parser.parse_args()
    known = models(given.fixtures, given.mnist, given.photos)
    for name in [n for n in given.only.split(",") if n] or known:
        model = known[name]
        tensors = ("--input_names", model.inputs, "--output_names", model.outputs)
        metric = ("--metric", model.metric) if model.metric else ()
        with TemporaryDirectory() as scratch:
            after = str(Path(scratch) / "after.pb")
            print(f"\n## {name}\n", flush=True)
            options: list[str] = ["--no-verify"]
            if given.precision != "keep":
                shown = ("--output-key", model.metric_output) if model.metric else ()
                options = ["--precision", given.precision, "--max-drop", given.max_drop, *model.data, *metric, *shown]
            if given.pages:
                options += ["--report", str(given.pages / f"{name}.html"), "--no-benchmark", "--overwrite"]
            report = run("optimize", model.path, "-o", after, *tensors, *options, "--json")
            if model.shows_ops:
                print(op_table(report), end="\n\n")
            if given.precision != "keep":
                print(candidate_table(report), end="\n\n")
            output = ("--output", model.metric_output) if model.metric else ()
            compared = (*model.data, *metric, *output, "--markdown", "--repeats", given.repeats)
            print(run("compare", model.path, after, *tensors, *compared), flush=True)


if __name__ == "__main__":
    main()
