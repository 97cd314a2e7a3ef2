"""`tfpare demo`: the main job on a small trained model that comes with the package, judged on its evaluation images."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfpare.api import optimize
from tfpare.api_types import OptimizeOptions, OptimizeReport
from tfpare.environment import child_environment
from tfpare.errors import TfpareError

DATA = Path(__file__).parent / "demo_data"
CALLS = 200  # the calls take about a millisecond: enough of them that the smallest is a stable number
BATCHES = (1, 100)


@dataclass(frozen=True, slots=True)
class CallTime:
    """Seconds of a call with `batch` images."""

    batch: int
    min_s: float
    median_s: float


@dataclass(frozen=True, slots=True)
class Side:
    """One model: accuracy on the evaluation images, seconds to load it (smallest of three) and to call it."""

    accuracy: float
    load_s: float
    calls: list[CallTime]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What `tfpare demo` found.

    Attributes:
        images: how many were evaluated; same_class: how many get the same class from both.
        calls: timed of each model and batch, taking turns in one process.
    """

    optimized: OptimizeReport
    before: Side
    after: Side
    images: int
    same_class: int
    calls: int


def run_demo(output: Path, progress: Callable[[str], None], options: OptimizeOptions | None = None) -> DemoReport:
    """Optimizes the demo's model into `output` and compares the two.

    Raises:
        TfpareError: the models cannot be run.
    """
    model = DATA / "saved_model"
    report = optimize(model, output, options, progress)
    progress("evaluating and timing both models")
    answer = _compare([model, output])
    with np.load(DATA / "eval.npz", allow_pickle=False) as data:
        labels = np.asarray(data["labels"])
    classes = [np.asarray(c) for c in answer["classes"]]
    before, after = (_side(answer, k, labels) for k in range(2))
    return DemoReport(report, before, after, len(labels), int((classes[0] == classes[1]).sum()), CALLS)


def _side(answer: dict[str, Any], k: int, labels: Any) -> Side:
    calls: list[CallTime] = []
    for batch, seconds in zip(BATCHES, answer["calls_s"], strict=True):
        calls.append(CallTime(batch, min(seconds[k]), statistics.median(seconds[k])))
    return Side(float((np.asarray(answer["classes"][k]) == labels).mean()), answer["load_s"][k], calls)


def _compare(models: list[Path]) -> dict[str, Any]:
    request = {
        "models": [os.path.abspath(m) for m in models],
        "signature": "serving_default",
        "input": "images",
        "output": "probabilities",
        "data": str(DATA / "eval.npz"),
        "array": "images",
        "calls": CALLS,
        "batches": BATCHES,
    }
    with tempfile.TemporaryDirectory(prefix="tfpare-") as scratch:
        file = Path(scratch) / "request.json"
        file.write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-m", "tfpare.io.compare_calls", str(file)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=scratch, env=child_environment()
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TfpareError(f"The models cannot be compared: the process that calls them ended with {last}")
    return json.loads(done.stdout)
