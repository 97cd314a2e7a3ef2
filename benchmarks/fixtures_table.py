"""Every model with golden outputs through `optimize`: one row a model, nodes before and after, largest difference.

    python benchmarks/fixtures_table.py [FOLDER ...] [--match WORD]

A folder holds fixtures (`*/manifest.json` with `golden.npz`); by default the small ones of the tests. The difference is
against what the framework that made the model computed, over every signature and every way in which stock TensorFlow
loads the result; `original` is the same for the model as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.e2e.golden import SMALL, Artifact, artifacts, difference, loaders
from tests.e2e.test_fixtures import options_for, target_for
from tfpare.api import optimize


def worst(artifact: Artifact, model: Path) -> float:
    """Largest difference over all cases and loaders."""
    found = 0.0
    for name, run in loaders(artifact, model):
        for case in artifact.cases:
            skip = name == "Session" and (case.name.startswith("step") or artifact.kind == "keras")
            if not skip:
                found = max(found, difference(case.outputs, run(case)))
    return found


def original(artifact: Artifact) -> str:
    """The original's own difference, where stock TensorFlow loads it the same way."""
    if artifact.kind in ("keras", "checkpoint") or artifact.path.suffix == ".pbtxt":
        return "-"
    try:
        return f"{worst(artifact, artifact.path):.1e}"
    except Exception as error:
        return f"does not load ({type(error).__name__})"


def row(artifact: Artifact) -> tuple[str, bool]:
    """One line of the table, and whether it is within the tolerance."""
    with tempfile.TemporaryDirectory() as scratch:
        target = target_for(artifact, Path(scratch))
        start = time.perf_counter()
        report = optimize(artifact.path, target, options_for(artifact, verify=False))
        seconds = time.perf_counter() - start
        found = worst(artifact, target)
    nodes = f"{report.before.nodes:>6} -> {report.after.nodes:<6}"
    size = f"{report.before.file_bytes / 1e6:7.2f} -> {report.after.file_bytes / 1e6:7.2f} MB"
    text = f"{artifact.id:<52} {nodes} {size}  {found:8.1e}  {original(artifact):>8}  {seconds:6.1f} s"
    return text, found < float("inf")


def main() -> int:
    """Prints the table; returns 1 if an output has another shape, or another whole number or string."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[SMALL])
    parser.add_argument("--match", default="")
    arguments = parser.parse_args()
    print(f"{'model':<52} {'nodes':>16} {'files':>22}  {'largest':>8}  {'original':>8}")
    bad = 0
    for folder in arguments.folders:
        for artifact in artifacts(folder):
            if arguments.match in artifact.id:
                text, ok = row(artifact)
                bad += not ok
                print(text, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
