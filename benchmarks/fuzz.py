"""Random graphs through a preset, compared with the unoptimized graph: by default 10,000 of them.

python benchmarks/fuzz.py [--graphs 10000] [--first 0] [--preset fast] [--jobs 2]
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CHUNK = 50


def run_chunk(first: int, count: int, preset: str) -> list[tuple[int, float, int, int, str]]:
    """(seed, difference, nodes before, nodes after, error) of some seeds."""
    from tests.fuzz.check import check

    rows: list[tuple[int, float, int, int, str]] = []
    for seed in range(first, first + count):
        try:
            rows.append((seed, *check(seed, preset), ""))
        except Exception as error:
            rows.append((seed, float("inf"), 0, 0, f"{type(error).__name__}: {str(error)[:300]}"))
    return rows


def main() -> int:
    """Prints what differed and a summary; returns 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    from tests.fuzz.check import TOLERANCE

    allowed = 0.0 if arguments.preset == "exact" else TOLERANCE
    start, done, bad, worst, before, after = time.time(), 0, 0, 0.0, 0, 0
    firsts = range(arguments.first, arguments.first + arguments.graphs, CHUNK)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        counts = [min(CHUNK, arguments.first + arguments.graphs - f) for f in firsts]
        for rows in pool.map(run_chunk, firsts, counts, [arguments.preset] * len(firsts)):
            for seed, difference, nodes_before, nodes_after, error in rows:
                done, before, after = done + 1, before + nodes_before, after + nodes_after
                if error or difference > allowed:
                    bad += 1
                    print(f"seed {seed}: {error or f'difference {difference:.2e}'}", flush=True)
                else:
                    worst = max(worst, difference)
    print(f"{done} graphs, {bad} bad, largest difference of the others {worst:.2e}, nodes {before} -> {after}, "
          f"{time.time() - start:.0f} s")  # fmt: skip
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
