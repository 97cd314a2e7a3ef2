"""remove_control_dependencies."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, cond, inputs_of, loop, notes, run, transform

REMOVE = "remove_control_dependencies"
X = np.array([1.5, -2, 3, 4], np.float32)


def edges(graph_def):
    return sum(i.startswith("^") for n in graph_def.node for i in n.input)


def test_edges_that_order_nothing_go():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        with v1.control_dependencies([v1.exp(x), v1.constant(1.0)]):
            v1.identity(x, name="output")
        v1.group(v1.sqrt(x), name="nobody_reads_this")

    before = build(make)
    after = transform(before, ["x"], ["output"], REMOVE)
    assert edges(after) == 0
    assert {n.name for n in before.node} == {n.name for n in after.node}
    assert_answers(before, after, {"x": X}, "output")


def test_branches_keep_their_constants():
    before = build(cond)
    after = transform(before, ["x", "p"], ["output"], REMOVE)
    for p in (True, False):
        assert_answers(before, after, {"x": X, "p": p}, "output")
    assert "left the control edges of" in notes(before, ["x", "p"], ["output"], REMOVE)


def test_loops_keep_their_constants():
    before = build(loop)
    assert_answers(before, transform(before, ["x"], ["output"], REMOVE), {"x": X}, "output")


def test_checks_stay_in_order():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        with v1.control_dependencies([v1.assert_less(x, 100.0)]):
            v1.identity(x, name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], REMOVE)
    assert any(i.startswith("^") for i in inputs_of(after, "output"))
    with pytest.raises(Exception, match="assertion failed"):
        run(after, {"x": X * 1000}, "output")


def test_nothing_goes_without_outputs():
    before = build(lambda v1: v1.exp(v1.placeholder("float32", [4], name="x")))
    assert len(transform(before, [], [], REMOVE).node) == 2
