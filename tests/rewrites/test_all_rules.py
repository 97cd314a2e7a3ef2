"""Every registered rule: its documented example, numerics, and every trap at every node of the example."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import ALL_RULES, apply, assert_same, canonical, examples, parse, producer, random_feeds, run
from tests.traps import TRAPS
from tfpare import runtime
from tfpare.engine.rule import Effect

CASES = [(name, k) for name, rule in ALL_RULES.items() for k in range(len(examples(rule)))]


@pytest.mark.parametrize("name", ALL_RULES)
def test_is_documented_and_tested(name):
    doc = ALL_RULES[name].doc
    for part in ("Before", "After:", "Declines when:", "Source:"):
        assert part in doc, f"the docstring of {name} lacks {part!r}"
    path = ALL_RULES[name].function.__module__.split(".")
    folder = Path(__file__).parents[1] / ("compat" if "compat" in path else "rewrites")
    assert (folder / f"test_{path[-1]}.py").is_file(), "a rule needs a test file of its module's name"


@pytest.mark.parametrize(("name", "example"), CASES)
def test_example_fires_and_answers_the_same(name, example):
    before, after = examples(ALL_RULES[name])[example]
    graph, original = parse(before), parse(before)
    stats = apply(graph, name)
    assert stats[name].applied >= 1
    assert canonical(graph) == canonical(parse(after))
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), ALL_RULES[name].effect)


@pytest.mark.parametrize(("name", "example"), CASES)
def test_shapes_are_those_that_tensorflow_infers(name, example):
    """Later rules believe what a rule says of its nodes."""
    graph = parse(examples(ALL_RULES[name])[example][0])
    graph.producer = producer(graph)
    runtime.infer_shapes(graph)
    apply(graph, name)
    told = {node: node.shapes for node in graph}
    runtime.infer_shapes(graph)
    for node, shapes in told.items():
        for mine, inferred in zip(shapes, node.shapes, strict=True):
            assert mine.is_compatible(inferred), f"{node.op} has {mine}, but TensorFlow infers {inferred}"


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize(("name", "example"), CASES)
def test_trap_keeps_answers(name, example, trap):
    before, _ = examples(ALL_RULES[name])[example]
    sprung = 0
    for position in range(len(parse(before))):
        graph, original = parse(before), parse(before)
        if not TRAPS[trap](graph, list(graph)[position]):
            continue
        TRAPS[trap](original, list(original)[position])
        sprung += 1
        feeds = random_feeds(original)
        apply(graph, name)
        assert_same(run(original, feeds), run(graph, feeds), ALL_RULES[name].effect)
    if not sprung:
        pytest.skip("the trap has no place in this example")


def test_the_checker_notices_a_doubled_output():
    source = "x = input(float32[?,4])\ny = Relu(x)\nreturn y"
    doubled = "x = input(float32[?,4])\nr = Relu(x)\ny = AddV2(r, r)\nreturn y"
    feeds = random_feeds(parse(source))
    with pytest.raises(AssertionError):
        assert_same(run(parse(source), feeds), {"y:0": run(parse(doubled), feeds)["y:0"]}, Effect.ROUNDING)
