"""The cut against all cuts of small random networks."""

import itertools

import numpy as np
import pytest

from tfpare.layout.minimum_cut import Network


def capacity(edges, side):
    return sum(room for tail, head, room in edges if tail in side and head not in side)


@pytest.mark.parametrize("seed", range(60))
def test_it_is_a_smallest_cut_and_the_largest_of_these(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 8))
    edges = [tuple(map(int, (*rng.integers(0, count, 2), rng.integers(1, 4)))) for _ in range(count * 2)]
    network = Network()
    for _ in range(count):
        network.vertex()
    for edge in edges:
        network.edge(*edge)
    inner = range(2, count)
    sides = [{0, *chosen} for k in range(count - 1) for chosen in itertools.combinations(inner, k)]
    smallest = min(capacity(edges, side) for side in sides)
    best = [side for side in sides if capacity(edges, side) == smallest]
    assert network.largest_source_side(0, 1) == set().union(*best)


def test_a_long_chain_of_separate_groups_takes_linear_time():
    """Every group is a path of its own: all are filled in one phase."""
    network = Network()
    source, sink = network.vertex(), network.vertex()
    for _ in range(20_000):
        middle = network.vertex()
        network.edge(source, middle, 10)
        network.edge(middle, sink, 1)
    assert len(network.largest_source_side(source, sink)) == 20_001
