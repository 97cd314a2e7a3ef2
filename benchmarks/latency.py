"""Compares the speed of two SavedModels in stock TensorFlow on the CPU.

    python benchmarks/latency.py BEFORE AFTER [--batch 1 --batch 16] [--calls 60] [--rounds 5] [--inputs inputs.npz]

For each batch size the two models take turns (before, after, before, ...), each time in a new process, so that neither
profits from what the other one left behind and a slow minute of the machine hits both. A process loads the model, calls
the signature once (the first call, which prepares the graph), warms up, and then times each of `--calls` calls.

The minimum is what the machine can do when nothing disturbs it; the median is what a caller sees. The spread is the
range of the rounds' medians, as a share of the median of all calls: a ratio closer to 1 than that is noise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

UNKNOWN_DIMENSION = 224
SIDES = ("before", "after")


# ---------------------------------------------------------------- child: one model, one batch size


def _random_array(dtype: Any, shape: Sequence[int], rng: np.random.Generator) -> Array:
    """Returns plausible random values of a NumPy type: small whole numbers, or normal deviates."""
    kind = np.dtype(dtype).kind
    if kind in "OSU":
        return np.full(shape, b"some text", object)
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in "iu":
        return rng.integers(0, 256 if dtype == np.uint8 else 10, shape).astype(dtype)
    return rng.normal(0, 1, shape).astype(dtype)


def _random_input(name: str, spec: Any, batch: int, rng: np.random.Generator) -> Array:
    """Returns random values for one input: an unknown first dimension is `batch`, others `UNKNOWN_DIMENSION`."""
    if spec.shape.rank is None:
        raise ValueError(f"the rank of input {name!r} is unknown: give its value with --inputs")
    dims = list(spec.shape)
    shape = [d if d is not None else UNKNOWN_DIMENSION if i else batch for i, d in enumerate(dims)]
    return _random_array(spec.dtype.as_numpy_dtype, shape, rng)


def _given_input(value: Array, spec: Any, batch: int) -> Array:
    """Returns `value` with `batch` rows, repeated as needed, unless the input's first dimension is fixed."""
    fixed = spec.shape.rank is not None and (spec.shape.rank == 0 or spec.shape[0] is not None)
    if fixed or value.ndim == 0:
        return value
    return value[np.arange(batch) % len(value)]


def make_inputs(specs: dict[str, Any], batch: int, path: Path | None, signature: str) -> dict[str, Array]:
    """Makes the inputs of a signature.

    Args:
        specs: The `TensorSpec` of each input.
        batch: Rows, where the first dimension is unknown.
        path: Values to use rather than random ones: an `.npz` with keys `NAME` or `SIGNATURE/in/NAME`.
        signature: The signature's name.

    Returns:
        One array per input, the same in every process.

    Raises:
        ValueError: If an input is not a plain tensor, or its rank is unknown and `path` has no value for it.
    """
    given: dict[str, Array] = {}
    if path is not None:
        with np.load(path, allow_pickle=False) as archive:
            given = {key.removeprefix(f"{signature}/in/"): archive[key] for key in archive.files}
    rng, inputs = np.random.default_rng(0), {}
    for name, spec in sorted(specs.items()):
        if type(spec).__name__ != "TensorSpec":
            raise ValueError(f"input {name!r} is a {type(spec).__name__}: only plain tensors can be timed")
        value = _given_input(given[name], spec, batch) if name in given else _random_input(name, spec, batch, rng)
        inputs[name] = value
    return inputs


def measure(path: Path, signature: str, batch: int, warmup: int, calls: int, inputs: Path | None) -> dict[str, Any]:
    """Times one model in this process.

    Args:
        path: A SavedModel directory.
        signature: Name of the signature to call.
        batch: Rows per call.
        warmup: Calls between the first one and the timed ones.
        calls: Number of timed calls.
        inputs: See `make_inputs`.

    Returns:
        `load`, `first` and the list `calls`, in seconds, and the inputs' shapes.
    """
    import tensorflow as tf

    start = time.perf_counter()
    model = tf.saved_model.load(str(path))  # Keep it: a signature does not keep the variables alive.
    call = model.signatures[signature]
    load = time.perf_counter() - start
    arrays = make_inputs(call.structured_input_signature[1], batch, inputs, signature)
    feed = {name: tf.constant(array) for name, array in arrays.items()}
    times = []
    for _ in range(1 + warmup + calls):
        start = time.perf_counter()
        call(**feed)
        times.append(time.perf_counter() - start)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    return {"load": load, "first": times[0], "calls": times[1 + warmup :], "shapes": shapes}


# ---------------------------------------------------------------- parent: turns, and what they show


def run_child(path: Path, batch: int, args: argparse.Namespace) -> dict[str, Any]:
    """Runs `measure` in a new process.

    Args:
        path: A SavedModel directory.
        batch: Rows per call.
        args: The command line.

    Returns:
        What `measure` returned.

    Raises:
        RuntimeError: If the process failed.
    """
    command = [sys.executable, str(Path(__file__).resolve()), str(path), "--child", "--batch", str(batch)]
    command += ["--signature", args.signature, "--calls", str(args.calls), "--warmup", str(args.warmup)]
    if args.inputs is not None:
        command += ["--inputs", str(args.inputs)]
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""} | os.environ
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{path} failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def summarize(rounds: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Sums up all rounds of one model.

    Args:
        rounds: What `measure` returned in each round.

    Returns:
        Times in milliseconds, and the spread as a share (see the module's text).
    """
    calls = [seconds for one in rounds for seconds in one["calls"]]
    medians = [statistics.median(one["calls"]) for one in rounds]
    median = statistics.median(calls)
    return {
        "load_ms": 1e3 * statistics.median(one["load"] for one in rounds),
        "first_ms": 1e3 * statistics.median(one["first"] for one in rounds),
        "min_ms": 1e3 * min(calls),
        "median_ms": 1e3 * median,
        "p90_ms": 1e3 * float(np.percentile(calls, 90)),
        "spread": (max(medians) - min(medians)) / median,
    }


def compare(rounds: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Compares the two models.

    Args:
        rounds: For `before` and for `after`, what `measure` returned in each round.

    Returns:
        By `min` and by `median`: time before / time after, over all calls, and its lowest and highest value in a round.
    """
    result = {}
    for name, pick in {"min": min, "median": statistics.median}.items():
        pairs = zip(*(rounds[side] for side in SIDES), strict=True)
        ratios = [pick(before["calls"]) / pick(after["calls"]) for before, after in pairs]
        before, after = (pick([t for one in rounds[side] for t in one["calls"]]) for side in SIDES)
        result[name] = {"ratio": before / after, "lowest": min(ratios), "highest": max(ratios)}
    return result


def compare_batch(batch: int, args: argparse.Namespace) -> dict[str, Any]:
    """Lets the two models take turns at one batch size.

    Args:
        batch: Rows per call.
        args: The command line.

    Returns:
        The batch size, the inputs' shapes, the summary of each model and the ratios.
    """
    rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(args.rounds):
        for side in SIDES:
            print(f"batch {batch}, round {number + 1} of {args.rounds}, {side} ...", file=sys.stderr, flush=True)
            rounds[side].append(run_child(getattr(args, side), batch, args))
    summaries = {side: summarize(rounds[side]) for side in SIDES}
    return {"batch": batch, "shapes": rounds["before"][0]["shapes"], **summaries, "ratio": compare(rounds)}


def format_result(result: dict[str, Any]) -> str:
    """Lays out the result of `compare_batch` for people.

    Args:
        result: What `compare_batch` returned.

    Returns:
        A few lines of text.
    """
    lines = [f"batch {result['batch']}  {result['shapes']}"]
    lines.append(f"  {'ms':8}{'load':>10}{'first':>10}{'min':>10}{'median':>10}{'p90':>10}{'spread':>10}")
    for side in SIDES:
        one = result[side]
        columns = "".join(f"{one[f'{key}_ms']:10.2f}" for key in ("load", "first", "min", "median", "p90"))
        lines.append(f"  {side:8}{columns}{one['spread']:10.1%}")
    for name, one in result["ratio"].items():
        text = f"{one['ratio']:.3f} (rounds {one['lowest']:.3f} .. {one['highest']:.3f})"
        lines.append(f"  before / after by {name:7}{text}")
    return "\n".join(lines)


# ---------------------------------------------------------------- command line


def _positive(text: str) -> int:
    """Reads a whole number above 0."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    parser = argparse.ArgumentParser(description="Compare the speed of two SavedModels in stock TensorFlow.")
    parser.add_argument("before", type=Path, help="SavedModel directory")
    parser.add_argument("after", type=Path, nargs="?", help="SavedModel directory")
    parser.add_argument("--signature", default="serving_default", help="signature to call (default: %(default)s)")
    parser.add_argument("--batch", type=_positive, action="append", help="rows per call, repeatable (default: 1, 16)")
    parser.add_argument("--calls", type=_positive, default=60, help="timed calls per process (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, default=5, help="processes per model (default: %(default)s)")
    parser.add_argument("--warmup", type=_positive, default=5, help="untimed calls before (default: %(default)s)")
    parser.add_argument("--inputs", type=Path, help=".npz with the inputs, by name (default: random)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit code.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    batches = args.batch or [1, 16]
    if args.child:
        result = measure(args.before, args.signature, batches[0], args.warmup, args.calls, args.inputs)
        print(json.dumps(result))
        return 0
    if args.after is None:
        parser.error("give two SavedModel directories")
    results = []
    for batch in batches:
        results.append(compare_batch(batch, args))
        if not args.json:
            print(format_result(results[-1]), flush=True)
    if args.json:
        print(json.dumps({"before": str(args.before), "after": str(args.after), "batches": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
