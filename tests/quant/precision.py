"""Runs the passes of `--precision` on single graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.harness import random_feeds, run
from tfpare.io.functions import Library
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.ir.types import dtype
from tfpare.passes.base import PASSES, PassOptions, PassResult
from tfpare.pipeline import load_all
from tfpare.precision.cpu import cpu_flags, missing_instructions

HAS_BF16 = not missing_instructions("bf16", cpu_flags())
NO_BF16 = pytest.mark.skipif(not HAS_BF16, reason="no bf16 instructions")
# Of the largest magnitude, for graphs of a few ops: some roundings of 2^-9 each. Without the instructions TensorFlow
# takes kernels that also add up in bfloat16.
BF16 = 3e-2 if HAS_BF16 else 0.3


def convert(name: str, graph: Graph, options: PassOptions | None = None) -> PassResult:
    load_all()
    model = Model(Path("."), "graphdef", [graph], Library([]), {}, {})
    result = PASSES[name].run(model, options or PassOptions())
    graph.check()
    return result


def types(graph: Graph) -> dict[str, str]:
    """The type of output 0 by node, without what only holds or casts values."""
    skipped = ("Const", "Cast", "Placeholder")
    return {n.name: n.dtypes[0].name for n in graph if n.op not in skipped and n.dtypes}


def count(graph: Graph, op: str) -> int:
    return sum(n.op == op for n in graph)


def ops_in(graph: Graph, name: str) -> set[str]:
    """Ops that give out a type."""
    return {n.op for n in graph if dtype(name) in n.dtypes and n.op not in ("Const", "Cast")}


def assert_close(before: Graph, after: Graph, tolerance: float, feeds: dict[str, np.ndarray] | None = None) -> None:
    feeds = random_feeds(before) if feeds is None else feeds
    expected, got = run(before, feeds), run(after, feeds)
    assert expected.keys() == got.keys()
    for key, a in expected.items():
        b = got[key]
        assert (a.dtype, a.shape) == (b.dtype, b.shape), key
        if a.dtype.kind not in "fV":
            np.testing.assert_array_equal(a, b, err_msg=key)
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        np.testing.assert_array_equal(np.isnan(x), np.isnan(y), err_msg=key)
        finite = np.isfinite(x)
        np.testing.assert_array_equal(x[~finite], y[~finite], err_msg=key)
        scale = np.abs(x[finite]).max(initial=1e-30)
        assert np.abs(x[finite] - y[finite]).max(initial=0.0) <= tolerance * scale, key
