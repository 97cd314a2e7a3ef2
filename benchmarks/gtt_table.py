"""The cases of the real Graph Transform Tool, ours beside it.

    python benchmarks/gtt_table.py [--all]

For every case: whether ours answers as the original graph did (or refuses what has to be refused), what its ideal
lacks, and nodes against what the real tool left. Prints the totals, and each case that is not simply equal or smaller.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.gtt.cases import MORE_NODES, Case, all_cases, difference, run, shortfall, size, tool_size
from tfpare.compat import TransformGraph
from tfpare.errors import TfpareError


def judge(case: Case) -> tuple[str, str]:
    """Outcome (`equal`, `refused` or what is wrong) and the comparison of nodes (`fewer`, `same`, `more`, `-`)."""
    facts = case.facts
    os.chdir(case.folder)
    try:
        result = TransformGraph(case.graph_def(), facts["inputs"], facts["outputs"], facts["transforms"])
    except TfpareError as error:
        return ("refused" if facts["want_error"] else f"error: {error}"), "-"
    if facts["want_error"]:
        return "accepted what it should refuse", "-"
    wrong = difference(case, run(result, case)) if case.expected() else ""
    limit, ours = tool_size(case), size(result)
    nodes = "-" if limit is None else "fewer" if ours < limit else "same" if ours == limit else "more"
    return wrong or shortfall(case, result) or "equal", nodes


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="print every case")
    given = parser.parse_args()
    outcomes, nodes, tool = Counter[str](), Counter[str](), Counter[str]()
    for case in all_cases():
        outcome, compared = judge(case)
        outcomes[outcome] += 1
        nodes[compared] += 1
        tool[case.facts["status"]] += 1
        if given.all or outcome not in ("equal", "refused") or compared == "more":
            reason = MORE_NODES.get(case.name, "") if compared == "more" else ""
            print(f"{case.name:38} tool: {case.facts['status']:16} ours: {outcome:10} nodes: {compared:6} {reason}")
    print(f"{sum(outcomes.values())} cases: " + ", ".join(f"{n} {k}" for k, n in outcomes.most_common()))
    print("nodes against the tool: " + ", ".join(f"{n} {k}" for k, n in nodes.most_common()))
    print("the tool: " + ", ".join(f"{n} {k}" for k, n in tool.most_common()))


if __name__ == "__main__":
    main()
