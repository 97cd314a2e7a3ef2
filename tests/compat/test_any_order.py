"""Exact transforms in any order keep the answers of random graphs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.fuzz.check import TOLERANCE, difference, feeds_of
from tests.fuzz.generator import Generator
from tfpare.compat import TransformGraph, registry
from tfpare.engine.rule import Effect
from tfpare.io import graphdef, whole_graph

registry.load_all()

ARGUMENTS = {
    "insert_logging": "op=Relu, first_n=0",
    "remove_nodes": "op=Identity, op=StopGradient",
    "set_device": 'device="/device:CPU:0"',
    "strip_unused_nodes": "",
}
"""Of transforms that need some, or would print."""

NAMES = sorted(
    t.name
    for t in registry.TRANSFORMS.values()
    if t.name in ARGUMENTS or (t.effect in (Effect.EXACT, Effect.ROUNDING) and not t.needs_arguments)
)
GRAPHS, CHUNK = 120, 15


def graph_def_of(seed: int):
    """A random graph, what to feed, and its outputs."""
    generator = Generator(seed)
    graph = generator.make()
    feeds = feeds_of(generator, seed)
    outputs = [str(v) for v in graph.outputs.values()]
    graph_def = whole_graph.new_graph_def()
    graph_def.versions.producer = graph.producer
    graphdef.write_nodes(graph, graph_def)
    return graph_def, feeds, list(dict.fromkeys(outputs))


def answers(graph_def, feeds, outputs):
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run({o: o if ":" in o else f"{o}:0" for o in outputs}, feeds)


def random_list(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    names = rng.choice(NAMES, size=int(rng.integers(2, 8)))
    return [f"{n}({ARGUMENTS[n]})" if ARGUMENTS.get(n) else str(n) for n in names]


@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_answers_stay(start):
    for seed in range(start, start + CHUNK):
        graph_def, feeds, outputs = graph_def_of(seed)
        transforms = random_list(seed)
        result = TransformGraph(graph_def, list(feeds), outputs, transforms)
        before, after = answers(graph_def, feeds, outputs), answers(result, feeds, outputs)
        rounds = any(registry.find(t.partition("(")[0]).effect is Effect.ROUNDING for t in transforms)
        assert difference(before, after) <= (TOLERANCE if rounds else 0.0), (seed, transforms)


def test_most_transforms_take_part():
    used = {t.partition("(")[0] for seed in range(GRAPHS) for t in random_list(seed)}
    assert used == set(NAMES)
    assert len(used) >= 20
