"""tfpare's own cost on one model: seconds by phase, and peak memory against TensorFlow's and the weights'.

    python benchmarks/own_cost.py MODEL [--verify]

Memory is this process's own peak (verification runs in child processes). TensorFlow's own share is the peak after a
model with 24,000 weights went the same way: the import, its runtime and the kernels that folding uses.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import tfpare
from tfpare.api import OptimizeOptions, optimize
from tfpare.io.start import start_tensorflow

TINY = Path(tfpare.__file__).parent / "demo_data" / "saved_model"


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Runs `optimize` once and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--verify", action="store_true")
    arguments = parser.parse_args()
    start_tensorflow()
    with tempfile.TemporaryDirectory() as scratch:
        optimize(TINY, Path(scratch) / "tiny", OptimizeOptions(verify=False))
        base = peak_mb()
        report = optimize(arguments.model, Path(scratch) / "out", OptimizeOptions(verify=arguments.verify))
    above, weights = peak_mb() - base, report.after.weight_bytes / 1e6
    print(f"TensorFlow's own: {base:.0f} MB; peak {base + above:.0f} MB: {above:.0f} MB above, "
          f"{above / weights:.2f} x the {weights:.0f} MB of weights")  # fmt: skip
    print("seconds:", ", ".join(f"{name} {value:.2f}" for name, value in report.seconds.items()))


if __name__ == "__main__":
    main()
