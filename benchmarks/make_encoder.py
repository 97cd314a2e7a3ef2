"""Exports a transformer encoder in the shape of BERT-base with random values, for the benchmarks.

    python benchmarks/make_encoder.py OUT_DIR [--layers 12] [--tokens 128]

writes the SavedModel `OUT_DIR/Encoder` (inputs `ids` and `mask`, output a [batch, tokens, 768] state), and beside it 16
sentences of random words in `OUT_DIR/Encoder.inputs.npz`. A model that is already there is left alone.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

WORDS, WIDTH, HEADS, INNER = 30522, 768, 12, 3072
SENTENCES = 16


def encoder(layers: int, tokens: int) -> Any:
    """BERT-base without its pooler: word and position embeddings, then attention and a gelu layer, normalized after."""
    ids = keras.Input((tokens,), dtype="int32", name="ids")
    mask = keras.Input((tokens,), dtype="int32", name="mask")
    positions = keras.ops.arange(tokens)
    x = keras.layers.Embedding(WORDS, WIDTH, embeddings_initializer=_random())(ids)
    x = x + keras.layers.Embedding(tokens, WIDTH, embeddings_initializer=_random())(positions)
    x = keras.layers.LayerNormalization(epsilon=1e-12)(x)
    attended = keras.ops.cast(mask, "bool")[:, None, :]
    for _ in range(layers):
        x = _block(x, attended)
    return keras.Model([ids, mask], x, name="encoder")


def _block(x: Any, mask: Any) -> Any:
    attention = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS, **_values())
    x = keras.layers.LayerNormalization(epsilon=1e-12)(x + attention(x, x, attention_mask=mask))
    inner = keras.layers.Dense(INNER, **_values())(x)
    inner = keras.layers.Activation(lambda v: keras.activations.gelu(v, approximate=False))(inner)
    outer = keras.layers.Dense(WIDTH, **_values())(inner)
    return keras.layers.LayerNormalization(epsilon=1e-12)(x + outer)


def _values() -> dict[str, Any]:
    """Biases too: tfpare removes those that are zero."""
    return {"kernel_initializer": _random(), "bias_initializer": _random()}


def _random() -> Any:
    """A new one for each weight: an initializer gives the same values whenever it is called."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


def sentences(tokens: int) -> dict[str, Any]:
    """Random words; each sentence ends somewhere in its second half."""
    rng = np.random.default_rng(5)
    lengths = rng.integers(tokens // 2, tokens + 1, (SENTENCES, 1))
    mask = (np.arange(tokens) < lengths).astype(np.int32)
    return {"ids": rng.integers(0, WORDS, (SENTENCES, tokens)).astype(np.int32) * mask, "mask": mask}


def main() -> None:
    """Writes model and inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=128)
    arguments = parser.parse_args()
    target = arguments.out / "Encoder"
    if target.is_dir():
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    model = encoder(arguments.layers, arguments.tokens)
    signature = {k: tf.TensorSpec([None, arguments.tokens], tf.int32, name=k) for k in ("ids", "mask")}

    def call(ids: Any, mask: Any) -> dict[str, Any]:
        return {"state": model([ids, mask], training=False)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", call, input_signature=[signature["ids"], signature["mask"]])
    archive.write_out(str(target), verbose=False)
    np.savez(target.with_name("Encoder.inputs.npz"), **sentences(arguments.tokens))


if __name__ == "__main__":
    main()
