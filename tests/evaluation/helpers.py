"""Models and data for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"
MNIST = FIXTURES / "tf1_mnist_convnet"
IMAGES = MNIST / "eval.npz"


def plant_loss(out: Path, every: int) -> Path:
    """The MNIST ConvNet as a frozen graph that moves the shares of every n-th image (by its pixels) on by one class."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString((MNIST / "frozen.pb").read_bytes())
    for node in graph_def.node:
        node.name = {"probabilities": "right", "classes": "right_classes"}.get(node.name, node.name)
        for k, name in enumerate(node.input):
            node.input[k] = "right" if name == "probabilities" else name
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        images, shares = (graph.get_tensor_by_name(f"{name}:0") for name in ("images", "right"))
        chosen = tf.equal(tf.cast(tf.reduce_sum(images, [1, 2, 3]), tf.int64) % every, 0)
        wrong = tf.where(chosen[:, tf.newaxis], tf.roll(shares, 1, axis=1), shares, name="probabilities")
        tf.argmax(wrong, axis=1, name="classes")
        out.write_bytes(graph.as_graph_def().SerializeToString())
    return out


def save_linear(path: Path, batch: int | None = None, seed: int = 0) -> Path:
    """Scores of two classes, one number, and the sum over the batch, from [batch, 3]."""
    import tensorflow as tf

    weights = tf.constant(np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32))
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([batch, 3], tf.float32, name="x")])
    def call(x):
        scores = x @ weights
        return {"scores": scores, "one": scores[:, 1] - scores[:, 0], "total": tf.reduce_sum(scores)}

    tf.saved_model.save(module, str(path), signatures=call)
    return path


def linear_data(path: Path, rows: int = 20) -> Path:
    """Samples for `save_linear`, with the labels that the model of seed 0 gives, but for the first two."""
    x = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    scores = x @ np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    labels = scores.argmax(1)
    labels[:2] = 1 - labels[:2]
    np.savez(path, x=x, label=labels, one=scores[:, 1] - scores[:, 0] + 0.5)
    return path
