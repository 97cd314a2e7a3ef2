"""Differences of single nodes: none where nothing changed, where they begin, and what cannot be compared."""

from pathlib import Path

import numpy as np
import pytest

from tfpare.io.read import ReadOptions
from tfpare.layers import layer_differences

FIXTURES = Path(__file__).parent / "data" / "fixtures"


def frozen(path, scale):
    """x → Relu → · scale → Relu, with names that stay."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        first = tf.nn.relu(x, name="first")
        middle = tf.multiply(first, tf.constant(scale, tf.float32, name="scale"), name="middle")
        tf.nn.relu(middle, name="last")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def compare(before, after, feeds=None):
    options = ReadOptions(input_names=("x:0",), output_names=("last:0",))
    fed = {"serving_default": feeds or {"x": np.ones((2, 4), np.float32)}}
    return layer_differences(before, after, options, fed)


def test_differences_begin_at_the_node_that_changed(tmp_path):
    (report,) = compare(frozen(tmp_path / "a.pb", 2.0), frozen(tmp_path / "b.pb", 2.2))
    found = {one.name: (one.depth, round(one.max_rel, 3)) for one in report.layers}
    assert found == {"first": (1, 0.0), "middle": (2, 0.1), "last": (3, 0.1)}
    assert report.shared == 3


def test_not_a_number_is_a_problem(tmp_path):
    (report,) = compare(frozen(tmp_path / "a.pb", 2.0), frozen(tmp_path / "b.pb", float("nan")))
    assert "NaN" in next(one.problem for one in report.layers if one.name == "middle")


def test_without_shared_names_there_is_a_note(tmp_path):
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        tf.identity(tf.nn.relu(x, name="other"), name="last")
    (tmp_path / "b.pb").write_bytes(graph.as_graph_def().SerializeToString())
    reports = compare(frozen(tmp_path / "a.pb", 2.0), tmp_path / "b.pb")
    assert [one.name for one in reports[0].layers] == ["last"]


def test_what_cannot_be_frozen_is_said():
    path = next(p.parent for p in (FIXTURES / "tf2_stateful").rglob("saved_model.pb"))
    (report,) = layer_differences(path, path, ReadOptions(), {})  # no inputs: nothing to compare
    assert report.layers == []
    assert report.notes


@pytest.mark.parametrize("name", ["tf2_keras_mnist", "tf1_mnist_convnet"])
def test_a_model_against_itself_is_equal(name):
    from tfpare.io.read import read
    from tfpare.verifier import Verifier

    path = next(p.parent for p in (FIXTURES / name).rglob("saved_model.pb"))
    with Verifier(read(path)) as verifier:
        verifier.compare(path)
        feeds = verifier.accepted_inputs()[0]
    reports = layer_differences(path, path, ReadOptions(), feeds)
    layers = [one for report in reports for one in report.layers]
    assert len(layers) > 3
    assert max(one.max_rel for one in layers) == 0
