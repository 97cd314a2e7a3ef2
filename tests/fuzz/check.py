"""One random graph through a preset, compared with itself."""

from __future__ import annotations

import numpy as np

from tests.fuzz.generator import Generator
from tests.harness import run, run_pipeline

# Chains of up to thirty ops enlarge the rounding of their inputs; a wrong rewrite shows in the first digits.
TOLERANCE = 2e-4


def feeds_of(generator: Generator, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        f"{v.node.name}:0": rng.normal(0, 1, generator.shapes[v]).astype(np.float32)
        for v in generator.values
        if v.node.op == "Placeholder" and v.node.name in generator.graph.nodes
    }


def difference(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> float:
    """Largest difference relative to the output's largest magnitude; infinite where shapes or NaNs differ."""
    worst = 0.0
    for key, a in before.items():
        b = after[key]
        if a.shape != b.shape or a.dtype != b.dtype or not np.array_equal(np.isnan(a), np.isnan(b)):
            return np.inf
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            return np.inf
        if finite.any():
            worst = max(worst, float(np.abs(a[finite] - b[finite]).max() / max(np.abs(a[finite]).max(), 1e-6)))
    return worst


def check(seed: int, preset: str = "fast") -> tuple[float, int, int]:
    """Difference, nodes before and nodes after for one seed."""
    original, generator = Generator(seed), Generator(seed)
    graph = original.make()
    feeds = feeds_of(original, seed)
    before = run(graph, feeds)
    changed = run_pipeline(generator.make(), preset)
    after = run(changed, feeds)
    return difference(before, after), len(graph), len(changed)
