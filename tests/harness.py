"""What the rule tests share: text → graph, running a graph in TensorFlow, comparing, traps."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfpare.compat import rules as transform_rules
from tfpare.engine.driver import Driver, RuleStats
from tfpare.engine.rule import RULES, Effect, Rule
from tfpare.io import graphdef
from tfpare.io.functions import Library
from tfpare.io.op_registry import op_spec
from tfpare.ir import text
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.ir.types import Shape
from tfpare.pipeline import load_all, make_pipeline

load_all()
transform_rules.load_all()
ALL_RULES: Mapping[str, Rule] = ChainMap(RULES, transform_rules.RULES)  # also what a test registers later

# A folded constant is rounded once more and sums are associated otherwise: a few float32 ulps of the largest value.
ROUNDING = 2e-5


def parse(source: str) -> Graph:
    return text.parse(source, op_spec)


def apply(graph: Graph, *names: str) -> dict[str, RuleStats]:
    """Runs the named rules (all of the presets by default) until none fires; checks the invariants."""
    driver = Driver([ALL_RULES[n] for n in names] if names else list(RULES.values()))
    driver.run(graph)
    graph.sweep()
    graph.check()
    return driver.stats


def canonical(graph: Graph) -> str:
    return text.to_text(graph, canonical=True)


def random_feeds(graph: Graph, seed: int = 0, unknown: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    feeds = {}
    for node in graph:
        if node.op.startswith("Placeholder"):
            shape = node.attrs["shape"]
            assert isinstance(shape, Shape)
            dims = [unknown if d is None else d for d in (shape.dims or ())]
            np_dtype = node.dtypes[0].numpy
            if node.dtypes[0].is_float:
                feeds[f"{node.name}:0"] = rng.normal(0, 1, dims).astype(np_dtype)
            elif node.dtypes[0].name == "bool":
                feeds[f"{node.name}:0"] = rng.integers(0, 2, dims).astype(bool)
            else:
                feeds[f"{node.name}:0"] = rng.integers(0, 5, dims).astype(np_dtype)
    return feeds


def producer(graph: Graph) -> int:
    """The GraphDef version under which TensorFlow knows the graph's ops."""
    return 8 if any(n.op == "BatchNormWithGlobalNormalization" for n in graph) else graph.producer


def run(graph: Graph, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a graph in a TensorFlow session with Grappler off; keys are the graph's output keys."""
    import tensorflow as tf
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = producer(graph)
    graphdef.write_nodes(graph, graph_def)
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        fetches = {k: f"{v.node.name}:{v.index}" for k, v in graph.outputs.items()}
        return session.run(fetches, feeds)


def assert_same(before: dict, after: dict, effect: Effect) -> None:
    assert before.keys() == after.keys()
    for key, a in before.items():
        b = after[key]
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind in "OSUbiu" or effect is Effect.EXACT:
            np.testing.assert_array_equal(a, b, err_msg=key)
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        np.testing.assert_array_equal(np.isnan(x), np.isnan(y), err_msg=key)
        finite = np.isfinite(x) & np.isfinite(y)
        np.testing.assert_array_equal(x[~finite & ~np.isnan(x)], y[~finite & ~np.isnan(x)], err_msg=key)
        scale = np.abs(x[finite]).max(initial=0.0)
        tolerance = {"float16": 1e-2, "bfloat16": 5e-2, "float64": 1e-12}.get(a.dtype.name, ROUNDING)
        assert np.abs(x[finite] - y[finite]).max(initial=0.0) <= tolerance * max(scale, 1e-30), key


def assert_rewrites(name: str, before: str, after: str) -> None:
    """The rule alone turns one text into the other, and both answer the same."""
    graph, original = parse(before), parse(before)
    apply(graph, name)
    assert canonical(graph) == canonical(parse(after))
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), ALL_RULES[name].effect)


def assert_declines(name: str, source: str, reason: str) -> None:
    """The rule leaves the graph alone and gives a reason that contains `reason`."""
    graph = parse(source)
    stats = apply(graph, name)[name]
    assert canonical(graph) == canonical(parse(source))
    assert stats.applied == 0
    assert any(reason in r for r in stats.declined), dict(stats.declined)


def assert_ignores(name: str, source: str) -> None:
    """The rule does not match at all: no change, no reason."""
    graph = parse(source)
    stats = apply(graph, name)[name]
    assert canonical(graph) == canonical(parse(source))
    assert stats.applied == 0


def examples(rule: Rule) -> list[tuple[str, str]]:
    """The Before/After pairs of a rule's docstring."""
    pairs = []
    blocks = re.split(r"^Before.*:\s*$", rule.doc, flags=re.MULTILINE)[1:]
    for block in blocks:
        before, _, rest = block.partition("After:")
        lines = []
        for line in rest.splitlines()[1:]:
            if line and not line.startswith(" "):
                break
            lines.append(line)
        pairs.append((before, "\n".join(lines)))
    return pairs


def run_pipeline(graph: Graph, preset: str = "fast", **options: object) -> Graph:
    """A preset's whole pipeline on one main graph, in place."""
    model = Model(Path("."), "graphdef", [graph], Library([]), {}, {})
    make_pipeline(preset, **options).run(model)  # type: ignore[arg-type]
    return graph
