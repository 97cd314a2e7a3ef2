"""Answers of a frozen graph, and a metric that nothing but the same answers satisfy."""

import os
from pathlib import Path

import numpy as np


def answers(path, images):
    import tensorflow as tf

    from tfpare.io.graphdef import read_graphdef

    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(read_graphdef(Path(path)), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run("probabilities:0", {"images:0": images})


def as_the_reference(outputs, labels):
    """−max |p − q| to the answers in a file; a sample's label is its number there. Only equal answers lose nothing."""
    with np.load(os.environ["REFERENCE"]) as data:
        reference = data["probabilities"][labels]
    return -np.abs(outputs["probabilities"] - reference).max(axis=-1)
