"""Random graphs to NCHW and back to NHWC: the same answers in both, and no layout is left behind."""

import pytest

from tests.fuzz.check import TOLERANCE, difference, feeds_of
from tests.fuzz.generator import Generator
from tests.harness import run
from tests.passes.test_convert_layout import convert, count
from tfpare.passes.merge_duplicates import merge_graph

GRAPHS, CHUNK = 100, 25


@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_there_and_back_keeps_answers(start):
    wrong = {}
    for seed in range(start, start + CHUNK):
        generator = Generator(seed)
        graph, feeds = generator.make(), feeds_of(generator, seed)
        before, transposes = run(graph, feeds), count(graph)
        for layout in ("NCHW", "NHWC"):
            convert(graph, layout)
            worst = difference(before, run(graph, feeds))
            if worst > TOLERANCE:
                wrong[seed, layout] = worst
        merge_graph(graph)  # a Transpose of the graph may have become equal to one at a border
        if count(graph) > transposes:
            wrong[seed, "Transposes"] = count(graph) - transposes
    assert not wrong
