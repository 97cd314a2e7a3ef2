"""tfpare in 8 bits side by side with Intel Neural Compressor 3.10: speed, size and what is lost.

    python benchmarks/neural_compressor/compare.py WORK_DIR [MobileNetV2 ResNet50] [--quick]
    python benchmarks/neural_compressor/compare.py WORK_DIR --model trained.h5 --photos 'PHOTOS/photos-*' [--no-latency]

The other tool gets an environment of its own in WORK_DIR (see `requirements.txt`) and its default recipe for static
quantization after training. It is offered the Keras object, the SavedModel and a graph frozen by TensorFlow, in this
order, and gets the first that it accepts. It folds few of the batch norms of Keras 3, so it is also offered the float
graph that `tfpare optimize` makes; that row shows what the kernels and their order are worth, without the folding.

Both tools calibrate on the same samples. Then the original and all results answer the same held-out samples and are
timed in fresh processes that take turns (see `latency.py`), all in the same TensorFlow: the one that runs this program,
or, where the other tool's results do not run there or `--runtime its` asks for it, that of its environment.

SQNR = 10·log₁₀(Σa² / Σ(a−b)²) in dB, a the float32 answers. Networks with random values amplify every rounding, so
theirs is near 0 whatever the tool; trained ones (`--model`) tell what is lost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parent
sys.path.insert(0, str(PROGRAMS))

import environment  # noqa: E402
import latency  # noqa: E402
import numpy as np  # noqa: E402
import subjects  # noqa: E402
from subjects import Subject  # noqa: E402

NAMES = ("MobileNetV2", "ResNet50")
REASON_CHARS = 300
FORMS = ("keras", "saved_model", "frozen")
FLOAT_PADDING = "fuse_pad_into_conv"  # the other tool fails on convolutions with explicit padding


@dataclass
class Result:
    """One SavedModel in the comparison.

    Attributes:
        label: for the table.
        path: of the SavedModel.
        facts: see `answers.py`.
        sqnr_db, same_top: against the original's answers on the held-out samples; NaN for the original itself.
        rounds: what `latency.measure` returned, by batch size.
    """

    label: str
    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    sqnr_db: float = math.nan
    same_top: float = math.nan
    rounds: dict[int, list[dict[str, Any]]] = field(default_factory=dict)


def main() -> int:
    """Prints what was given to the other tool, then one table.

    Returns:
        The exit code: 1 where a model is missing in the table.
    """
    given = _arguments()
    own = given.work.expanduser().resolve() / "neural_compressor"
    own.mkdir(parents=True, exist_ok=True)
    its_python = environment.make(given.environment or own / "venv")
    found = [subjects.given_model(path, own) for path in given.model]
    found += [subjects.network(name, given.work, own) for name in given.names]
    lines, failed = _table_head(), False
    for subject in found:
        try:
            lines += _compare(subject, own / f"{subject.name}_{given.samples}", its_python, given)
        except subprocess.CalledProcessError as error:
            failed = True
            print(f"{subject.name}: not compared: {_reason(error)}\n", flush=True)
    print("\n".join(lines))
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="*", help=f"networks with random values (default: {' '.join(NAMES)})")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a trained model of images in -1..1")
    parser.add_argument("--photos", help="TFRecords of make_photos.py, a pattern (default: smooth random images)")
    parser.add_argument("--environment", type=Path, help="the other tool's environment (default: in WORK)")
    parser.add_argument("--granularity", choices=("per_tensor", "per_channel"), default="per_tensor")
    parser.add_argument("--samples", type=int, default=100, help="to calibrate with (default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=64, help="to judge by (default: %(default)s)")
    parser.add_argument("--runtime", choices=("tfpare", "its"), default="tfpare", help="whose TensorFlow runs all")
    parser.add_argument("--batch", type=int, action="append", help="rows a call, repeatable (default: 1, 16)")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-latency", action="store_true")
    parser.add_argument("--quick", action="store_true", help="few samples, calls and rounds: shows that it works")
    given = parser.parse_args()
    if given.quick:
        given.samples, given.held_out, given.calls, given.rounds = 8, 8, 10, 1
    given.batch = given.batch or [1, 16]
    given.names = given.names or ([] if given.model else list(NAMES))
    return given


def _compare(subject: Subject, folder: Path, its_python: Path, given: argparse.Namespace) -> list[str]:
    """The table's lines for one model."""
    folder.mkdir(exist_ok=True)
    _say(f"{subject.name}: samples")
    facts = _asked(Path(sys.executable), subject.saved_model)
    calibration, held_out = _write_samples(subject, facts, folder, given)
    results = [Result("original", subject.saved_model)]
    results += _its_results(subject, facts, folder, calibration, its_python, given.granularity)
    results.append(Result("tfpare", _our_result(subject, folder, calibration)))
    python = _judge(results, held_out, folder, its_python, given.runtime)
    if not given.no_latency:
        _time(results, held_out, python, given)
    print(f"{subject.name}: in TensorFlow {results[0].facts['tensorflow']}, calibrated on {given.samples} samples\n")
    return _table_lines(subject.name, results)


# ---------------------------------------------------------------- samples


def _write_samples(subject: Subject, facts: dict[str, Any], folder: Path, given: argparse.Namespace) -> list[Path]:
    """Files with the samples to calibrate with and those to judge by; none is in both."""
    height, width = facts["shape"][1:3]
    rows = subjects.samples(subject, (height, width), given.samples + given.held_out, given.photos)
    paths = [folder / "calibration.npz", folder / "held_out.npz"]
    for path, part in zip(paths, np.split(rows, [given.samples]), strict=True):
        arrays: dict[str, Any] = {facts["input"]: part}
        np.savez(path, **arrays)
    return paths


# ---------------------------------------------------------------- results


def _our_result(subject: Subject, folder: Path, calibration: Path) -> Path:
    """The model in 8 bits by tfpare. The answers are judged here, so that the proof's budget does not stop it."""
    out = folder / "tfpare"
    command = [sys.executable, "-m", "tfpare", "optimize", str(subject.saved_model), "-o", str(out), "--overwrite"]
    command += ["--precision", "int8", "--data", str(calibration), "--no-verify"]
    _say(f"{subject.name}: tfpare")
    _run(command)
    return out


def _its_results(
    subject: Subject, facts: dict[str, Any], folder: Path, calibration: Path, its_python: Path, granularity: str
) -> list[Result]:
    """The first form that the other tool accepts, and the graph whose batch norms tfpare folded."""
    sources = {"keras": subject.keras_file, "saved_model": subject.saved_model, "frozen": subject.saved_model}
    results: list[Result] = []
    for form in FORMS:
        source = sources[form]
        if source is not None and not results:
            command = _its_command(its_python, form, source, folder / f"its_{form}", calibration, facts)
            results += _tried(subject, f"Neural Compressor, {form}", [*command, granularity], folder / f"its_{form}")
    folded = _folded(subject, folder)
    command = _its_command(its_python, "frozen", folded, folder / "its_folded", calibration, facts)
    label = "Neural Compressor, folded by tfpare"
    return results + _tried(subject, label, [*command, granularity], folder / "its_folded")


def _its_command(
    its_python: Path, form: str, source: Path, out: Path, calibration: Path, facts: dict[str, Any]
) -> list[str]:
    shutil.rmtree(out, ignore_errors=True)
    command = [str(its_python), str(HERE / "quantize.py"), form, str(source.resolve()), str(out)]
    command += ["--data", str(calibration), "--input", facts["input"], "--output", facts["output"]]
    return [*command, "--granularity"]


def _tried(subject: Subject, label: str, command: list[str], out: Path) -> list[Result]:
    """One result, or none and the reason in the output."""
    _say(f"{subject.name}: {label}")
    try:
        done = json.loads(_run(command, out.parent).splitlines()[-1])
    except subprocess.CalledProcessError as error:
        print(f"{subject.name}: {label}: failed: {_reason(error)}\n", flush=True)
        return []
    print(f"{subject.name}: {label}: {done['seconds']:.0f} s; named input and output {done['names']}\n", flush=True)
    return [Result(label, out)]


def _folded(subject: Subject, folder: Path) -> Path:
    """The model in float by tfpare as a frozen graph."""
    out = folder / "folded.pb"
    command = [sys.executable, "-m", "tfpare", "optimize", str(subject.saved_model), "-o", str(out), "--overwrite"]
    _run([*command, "--signature_def", "serving_default", "--disable", FLOAT_PADDING, "--no-verify"])
    return out


# ---------------------------------------------------------------- answers


def _judge(results: list[Result], held_out: Path, folder: Path, its_python: Path, runtime: str) -> Path:
    """Asks every result, in one TensorFlow that runs them all.

    Returns:
        The interpreter that has it.
    """
    pythons = [Path(sys.executable), its_python] if runtime == "tfpare" else [its_python]
    for python in pythons:
        try:
            _ask_all(results, held_out, folder, python)
        except subprocess.CalledProcessError as error:
            if python is pythons[-1]:
                raise
            _say(f"not in {python}: {_reason(error)}")
        else:
            return python
    raise AssertionError("the last one returned or raised")


def _ask_all(results: list[Result], held_out: Path, folder: Path, python: Path) -> None:
    reference = None
    for k, result in enumerate(results):
        _say(f"{result.label}: answers")
        out = folder / f"answers_{k}.npz"
        result.facts = _asked(python, result.path, "--inputs", str(held_out), "--out", str(out))
        with np.load(out) as archive:
            answers = archive["answers"].astype(np.float64)
        if reference is None:
            reference = answers
            continue
        noise = float(np.square(reference - answers).sum())
        result.sqnr_db = 10 * math.log10(float(np.square(reference).sum()) / noise) if noise else math.inf
        result.same_top = float(np.mean(reference.argmax(-1) == answers.argmax(-1)))


def _asked(python: Path, model: Path, *arguments: str) -> dict[str, Any]:
    """What `answers.py` prints."""
    return json.loads(_run([str(python), str(HERE / "answers.py"), str(model), *arguments]).splitlines()[-1])


# ---------------------------------------------------------------- times


def _time(results: list[Result], held_out: Path, python: Path, given: argparse.Namespace) -> None:
    """Lets all results take turns at each batch size."""
    for batch in given.batch:
        for number in range(given.rounds):
            for result in results:
                _say(f"batch {batch}, round {number + 1} of {given.rounds}: {result.label}")
                command = [str(python), str(PROGRAMS / "latency.py"), str(result.path), "--child"]
                command += ["--batch", str(batch), "--calls", str(given.calls), "--inputs", str(held_out)]
                result.rounds.setdefault(batch, []).append(json.loads(_run(command).splitlines()[-1]))


# ---------------------------------------------------------------- table


def _table_head() -> list[str]:
    columns = ["model", "batch", "result", "min ms", "median ms", "spread", "time ÷ tfpare's (min, median)"]
    columns += ["nodes in 8 bits", "conversions", "files MB", "SQNR dB", "same top class"]
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def _table_lines(name: str, results: list[Result]) -> list[str]:
    """A line for each batch size and result; one a result where nothing was timed."""
    lines: list[str] = []
    for batch in results[0].rounds or (None,):
        times = [latency.summarize(r.rounds[batch]) if batch else None for r in results]
        for result, time in zip(results, times, strict=True):
            cells = [name, str(batch or "–"), result.label, *_time_cells(time, times[-1]), *_size_cells(result)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _time_cells(time: dict[str, float] | None, ours: dict[str, float] | None) -> list[str]:
    if time is None or ours is None:
        return ["–"] * 4
    ratios = [f"{time[key] / ours[key]:.2f}" for key in ("min_ms", "median_ms")]
    return [f"{time['min_ms']:.2f}", f"{time['median_ms']:.2f}", f"{time['spread']:.0%}", ", ".join(ratios)]


def _size_cells(result: Result) -> list[str]:
    """Quantized ops compute in 8 bits; quantize, dequantize and requantize ops only convert."""
    ops = result.facts["ops"].items()
    computed = sum(count for op, count in ops if "Quantized" in op)
    converted = sum(count for op, count in ops if op.startswith(("QuantizeV2", "Dequantize", "Requantize")))
    size = sum(path.stat().st_size for path in result.path.rglob("*") if path.is_file())
    lost = ["–", "–"] if math.isnan(result.same_top) else [f"{result.sqnr_db:.1f}", f"{result.same_top:.0%}"]
    return [str(computed), str(converted), f"{size / 1e6:.1f}", *lost]


# ---------------------------------------------------------------- processes


def _run(command: list[str], folder: Path | None = None) -> str:
    """What a process printed.

    Raises:
        subprocess.CalledProcessError: it failed; with what it said.
    """
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""} | os.environ
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, said)
    return done.stdout


def _reason(error: subprocess.CalledProcessError) -> str:
    """What a process said last."""
    return str(error.stderr).splitlines()[-1][:REASON_CHARS]


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
