"""Original SavedModels against `tfpare optimize` in several precisions: latency, size, what is lost.

    python benchmarks/precision_speed.py WORK_DIR [names...] [--precision bf16 --precision int8] [--calls 60]

Makes the models (see `make_keras_models.py` and `make_encoder.py`) in WORK_DIR/keras and converts them into
WORK_DIR/<precision> where they are not there yet, then times each against the original, in fresh processes that take
turns (see `latency.py`), at batch 1 and 16. Sizes are shares of the bytes that the weights take in float32.

The networks' values are random, which makes them amplify differences as trained networks do not: rounding in float32
alone moves their answers by 1e-5 to 1e-4. What bfloat16 loses on them says little about trained ones, so it is
shown and not judged. 8 bits are calibrated on the inputs that come with each network, with the rest in bfloat16 where
the CPU has instructions for it.
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
NAMES = ("MobileNetV2", "ResNet50", "InceptionV3", "EfficientNetB0", "Encoder")
ANY_LOSS = 1e9


def original(name: str, work: Path) -> Path:
    """The SavedModel, made where it is not there yet."""
    path = work / "keras" / name
    if not path.is_dir():
        maker = ["make_encoder.py"] if name == "Encoder" else ["make_keras_models.py", name]
        command = [sys.executable, str(HERE / maker[0]), str(path.parent), *maker[1:]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def converted(name: str, precision: str, work: Path) -> tuple[Path, dict[str, Any]]:
    """The SavedModel in another precision, and what is known of it, kept beside it."""
    from tfpare.api import OptimizeOptions, optimize
    from tfpare.precision.cpu import cpu_flags, missing_instructions
    from tfpare.quant.options import QuantOptions
    from tfpare.verifier import VerifyOptions

    source, target = original(name, work), work / precision / name
    facts = target.with_name(f"{name}.json")
    if not facts.is_file():
        target.parent.mkdir(exist_ok=True)
        samples = source.with_name(f"{name}.inputs.npz")
        rest = "fp32" if missing_instructions("bf16", cpu_flags()) else "bf16"
        int8 = QuantOptions(data=str(samples), rest=rest) if precision == "int8" else QuantOptions()
        options = OptimizeOptions(
            precision=precision,
            int8=int8,
            verification=VerifyOptions(data=samples, tolerance=ANY_LOSS),
            overwrite=True,
            force=True,
        )
        report = optimize(source, target, options)
        assert report.verification is not None
        worst = max(report.verification.outputs, key=lambda o: o.max_rel)
        size = {"file_bytes": report.after.file_bytes, "weight_bytes": report.after.weight_bytes}
        lost = {"max_rel": worst.max_rel, "sqnr_db": worst.sqnr_db, "top1_agreement": worst.top1_agreement}
        facts.write_text(json.dumps({**size, **lost, "notes": report.notes}))
    return target, json.loads(facts.read_text())


def latency(name: str, candidate: Path, work: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """`latency.py` in its own process, as data."""
    command = [sys.executable, str(HERE / "latency.py"), str(work / "keras" / name), str(candidate), "--json"]
    command += ["--inputs", str(work / "keras" / f"{name}.inputs.npz")]
    command += ["--calls", str(arguments.calls), "--rounds", str(arguments.rounds)]
    for batch in arguments.batch or [1, 16]:
        command += ["--batch", str(batch)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["batches"]


def main() -> None:
    """Prints a line for each model, precision and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("names", nargs="*", default=list(NAMES))
    parser.add_argument("--precision", action="append")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--no-latency", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.names:
        _, plain = converted(name, "keep", arguments.work)
        for precision in arguments.precision or ["keep", "bf16"]:
            candidate, facts = converted(name, precision, arguments.work)
            share = facts["file_bytes"] / plain["weight_bytes"]
            print(f"{name} {precision}: {share:.1%} of the float32 weights, {json.dumps(facts)}", flush=True)
            for row in latency(name, candidate, arguments.work, arguments) if not arguments.no_latency else ():
                print(f"{name} {precision}: {json.dumps(row)}", flush=True)


if __name__ == "__main__":
    main()
