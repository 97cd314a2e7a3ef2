"""Quantizes single graphs: ranges from one run, the plan, the kernels."""

from __future__ import annotations

import numpy as np

from tests.harness import parse, random_feeds, run
from tfpare.ir.graph import Graph, Value
from tfpare.passes.base import PassResult
from tfpare.quant.emit import emit
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.options import QuantOptions
from tfpare.quant.planner import Scheme
from tfpare.quant.portable import emit_portable
from tfpare.quant.saturation import decided
from tfpare.quant.scheme import candidates, make_scheme, wanted_ranges
from tfpare.runtime import infer_shapes

EVERY = decided(QuantOptions(ends="int8"))
Feeds = dict[str, np.ndarray]


def measured(graph: Graph, feeds: Feeds, options: QuantOptions = EVERY) -> dict[Value, tuple[float, float]]:
    infer_shapes(graph)
    tensors = wanted_ranges(candidates(graph, options, PassResult()))
    outputs = dict(graph.outputs)
    graph.outputs = {str(k): v for k, v in enumerate(tensors)}
    values = run(graph, feeds) if tensors else {}
    graph.outputs = outputs
    return {v: (float(values[str(k)].min()), float(values[str(k)].max())) for k, v in enumerate(tensors)}


def quantized(
    source: str | Graph, feeds: Feeds | None = None, options: QuantOptions = EVERY, *, portable: bool = False
) -> tuple[Graph, Scheme]:
    """The graph in 8 bits and its plan."""
    graph = parse(source) if isinstance(source, str) else source
    feeds = random_feeds(graph) if feeds is None else feeds
    scheme = make_scheme(graph, measured(graph, feeds, options), options)
    (emit_portable if portable else emit)(graph, scheme)
    graph.check()
    infer_shapes(graph)
    return graph, scheme


def assert_near(source: str, least_db: float, options: QuantOptions = EVERY, *, portable: bool = False) -> Scheme:
    """Every output of the quantized graph is within so many dB of the float graph."""
    original = parse(source)
    feeds = random_feeds(original)
    graph, scheme = quantized(source, feeds, options, portable=portable)
    expected, got = run(original, feeds), run(graph, feeds)
    for key, value in expected.items():
        assert got[key].dtype == value.dtype
        assert got[key].shape == value.shape
        assert sqnr_db(value, got[key]) >= least_db, key
    return scheme


def ops(graph: Graph) -> list[str]:
    return sorted(n.op for n in graph if n.op not in ("Const", "Placeholder"))
