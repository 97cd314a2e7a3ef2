"""What a run records of nodes: for the page, and for anybody who asks which rule made a node."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness import parse
from tfpare.api import optimize
from tfpare.api_types import OptimizeOptions
from tfpare.engine.driver import Driver
from tfpare.engine.rule import RULES
from tfpare.ir.types import Func, Raw, Shape, dtype
from tfpare.recording import attr_text, split_reference

FIXTURES = Path(__file__).parent / "data" / "fixtures"


def commits(source, *rules):
    graph = parse(source)
    driver = Driver([RULES[r] for r in rules])
    driver.run(graph)
    return graph, driver.trace


def test_a_commit_names_what_it_made_and_what_it_removed():
    graph, trace = commits(
        "x = input(float32[?,4])\nk = const(float32[4,2])\nm = MatMul(x, k)\nc = const(float32[2])\n"
        "y = Mul(m, c)\nreturn y",
        "fold_mul_into_linear",
    )
    (commit,) = trace
    assert commit.node == "y"
    assert commit.removed[0] == "y"
    assert set(commit.removed) == {"y", "m", "k", "c"}
    assert set(commit.made) <= set(graph.nodes)
    assert "y" in commit.made  # the replacement has the root's name


def test_a_bypass_makes_nothing():
    graph, trace = commits("x = input(float32[4])\ni = Identity(x)\ny = Relu(i)\nreturn y", "remove_identity")
    assert [(c.made, c.removed) for c in trace] == [((), ("i",))]
    assert set(graph.nodes) == {"x", "y"}


@pytest.mark.parametrize(
    ("text", "expected"), [("a", ("a", 0)), ("a/b:2", ("a/b", 2)), ("^a", ("a", -1)), ("a:b", ("a:b", 0))]
)
def test_references(text, expected):
    assert split_reference(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "True"),
        (0.001, "0.001"),
        (dtype("int32"), "int32"),
        (Shape((None, 3)), "[?,3]"),
        ((1, 2), "[1, 2]"),
        (tuple(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        (Func("body"), "function body"),
        (Raw(b"123"), "3 bytes"),
        (np.array(1.5, np.float32), "scalar: 1.5"),
        (np.zeros((2, 100)), "2×100: 0, 0, 0, 0, 0, 0, 0, 0, …"),
        (np.zeros((0,)), "0: "),
        ("x" * 500, "x" * 120 + "…"),
        ("\udcff", "?"),
    ],
)
def test_attributes_are_short_texts(value, expected):
    assert attr_text(value) == expected


@pytest.mark.parametrize(
    "name",
    [
        "tf1_mnist_convnet/saved_model",
        "tf2_keras_mnist/saved_model",
        "tf1_control_flow/saved_model",
        "tf2_stateful/saved_model",
    ],
)
def test_a_run_records_both_graphs_and_where_nodes_went(tmp_path, name):
    path = FIXTURES / name
    if not path.is_dir():
        path = next(p.parent for p in (FIXTURES / name.split("/")[0]).rglob("saved_model.pb"))
    report = optimize(path, tmp_path / "out", OptimizeOptions(record=True))
    for record in report.records:
        after = {g.name: {n.name for n in g.nodes} for g in record.after}
        removed = {(c.graph, n) for c in record.commits for n in c.removed}
        for graph in record.before:
            names = [n.name for n in graph.nodes]
            assert len(names) == len(set(names))
            gone = set(names) - after.get(graph.name, set(names))
            explained = {n for n in gone if (graph.name, n) in removed or n in record.removed.get(graph.name, {})}
            # What nobody needs is swept away after the rules; everything else has a step that took it.
            assert len(gone - explained) <= 0.2 * len(gone)
    assert optimize(path, tmp_path / "two").records == []
