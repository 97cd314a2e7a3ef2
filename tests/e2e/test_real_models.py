"""Public models and large ones, from a folder of fixtures that is too big for the repository.

    TFPARE_FIXTURES=/path/to/fixtures python -m pytest -m slow tests/e2e/test_real_models.py

The folder holds `real/` and `large/`, each with fixtures as in `tests/data/fixtures`.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.golden import TOLERANCE, artifacts, difference, loaders
from tests.e2e.test_fixtures import options_for, target_for
from tfpare.api import optimize

FOLDER = Path(os.environ.get("TFPARE_FIXTURES", ""))
FOUND = [a for part in ("real", "large") for a in artifacts(FOLDER / part)] if FOLDER.name else []
RUNNABLE = ("frozen_pb", "saved_model_tf1")

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not FOUND, reason="TFPARE_FIXTURES names no folder with real/ or large/ models")
@pytest.mark.parametrize("name", [a.id for a in FOUND])
def test_golden_outputs(name, tmp_path):
    # A process each: what TensorFlow has loaded it does not give back, and together these models fill the memory.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(misses, name, tmp_path).result() == []


def misses(name, tmp_path):
    """Each loader and case of one artifact that is further from the golden outputs than rounding explains."""
    artifact = next(a for a in FOUND if a.id == name)
    target = target_for(artifact, tmp_path)
    optimize(artifact.path, target, options_for(artifact, verify=False))
    # The goldens come from TensorFlow 1.15, from which today's TensorFlow already differs on the original graph: by the
    # rounding of both. The optimized graph rounds in a third way.
    same = [a for a in FOUND if a.fixture == artifact.fixture and a.kind in RUNNABLE and a.path.suffix != ".pbtxt"]
    own = max((_own_difference(a) for a in same[:1]), default=0.0)
    found = []
    for loader, run in loaders(artifact, target):
        for case in artifact.cases:
            worst = difference(case.outputs, run(case))
            if not worst <= TOLERANCE + 2 * own:
                found.append(f"{loader}, case {case.name}: {worst:.2e}, the original {own:.2e}")
    return found


def _own_difference(artifact):
    """Of the original itself; a checkpoint's is that of another stored form of the same graph."""
    return max(difference(c.outputs, run(c)) for _, run in loaders(artifact, artifact.path) for c in artifact.cases)
