"""Random graphs through the usual recipe of transforms: the same answers, and less of them."""

import pytest

from tests.compat.helpers import run
from tests.fuzz.check import TOLERANCE, difference, feeds_of
from tests.fuzz.generator import Generator
from tfpare.compat import TransformGraph
from tfpare.io import graphdef

GRAPHS, CHUNK = 100, 20
RECIPE = "fold_constants fold_batch_norms fold_old_batch_norms flatten_atrous_conv fuse_convolutions fold_moments"


def check(seed):
    """Difference, nodes before and nodes after for one seed."""
    from tensorflow.core.framework import graph_pb2

    generator, before = Generator(seed), graph_pb2.GraphDef()
    graph = generator.make()
    feeds, outputs = feeds_of(generator, seed), [str(v) for v in graph.outputs.values()]
    before.versions.producer = graph.producer
    graphdef.write_nodes(graph, before)
    after = TransformGraph(before, [f.removesuffix(":0") for f in feeds], outputs, [RECIPE])
    answers = [dict(zip(outputs, run(g, feeds, *outputs), strict=True)) for g in (before, after)]
    return difference(*answers), len(before.node), len(after.node)


@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_answers_stay(start):
    found = {seed: check(seed) for seed in range(start, start + CHUNK)}
    assert not {seed: worst for seed, (worst, _, _) in found.items() if worst > TOLERANCE}
    assert sum(after for _, _, after in found.values()) < sum(before for _, before, _ in found.values())
