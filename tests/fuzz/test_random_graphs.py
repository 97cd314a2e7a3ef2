"""300 random graphs: the same answers before and after, for both presets."""

import pytest

from tests.fuzz.check import TOLERANCE, check

GRAPHS, CHUNK = 300, 25


@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_fast_keeps_answers(start):
    wrong = {}
    for seed in range(start, start + CHUNK):
        worst, _, _ = check(seed)
        if worst > TOLERANCE:
            wrong[seed] = worst
    assert not wrong


@pytest.mark.parametrize("start", range(0, 100, CHUNK))
def test_exact_keeps_every_bit(start):
    wrong = {}
    for seed in range(start, start + CHUNK):
        worst, _, _ = check(seed, "exact")
        if worst > 0:
            wrong[seed] = worst
    assert not wrong


def test_rewrites_do_happen():
    sizes = [check(seed)[1:] for seed in range(20)]
    assert sum(after for _, after in sizes) < 0.8 * sum(before for before, _ in sizes)
