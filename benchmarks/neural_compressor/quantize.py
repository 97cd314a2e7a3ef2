"""Quantizes one model with Intel Neural Compressor's default static recipe; runs in its own environment.

    python benchmarks/neural_compressor/quantize.py FORM MODEL OUT --data samples.npz --input KEY --output KEY

FORM says what the tool gets: `keras` (MODEL is a Keras file, the object is passed), `saved_model` (its path is passed)
or `frozen` (a GraphDef is passed: MODEL is a `.pb`, or a SavedModel, which TensorFlow's own function freezes). The
recipe is `StaticQuantConfig` as it is; `--granularity per_channel` changes its one setting that a user would try next.
Every sample is one step of the calibration, which is the tool's default too.

The tool's own `save` names a signature's keys after tensors; the same graph is written with the model's keys instead,
so that it can be timed and asked like the others.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
from neural_compressor.tensorflow import StaticQuantConfig, quantize_model
from neural_compressor.tensorflow.utils import BaseDataLoader


class Samples:
    """What the calibration reads: pairs of a sample and a label, which nobody looks at."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.rows[index], 0


def model_in(form: str, path: Path) -> Any:
    """The model as the tool is to get it."""
    if form == "keras":
        return tf.keras.models.load_model(path)
    if form == "saved_model":
        return str(path)
    return graph_def(path) if path.suffix == ".pb" else frozen(path)


def graph_def(path: Path) -> Any:
    """A frozen graph from its file."""
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph


def frozen(path: Path) -> Any:
    """A SavedModel's default signature as a frozen graph."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = tf.saved_model.load(str(path))  # Keep it: a signature does not keep the variables alive.
    return convert_variables_to_constants_v2(model.signatures["serving_default"]).graph.as_graph_def()


def write(quantized: Any, out: Path, input_key: str, output_key: str) -> None:
    """The quantized graph as a SavedModel with the keys of the model that it came from."""
    (source,), (answer,) = quantized.input_tensor_names, quantized.output_tensor_names
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(quantized.graph_def, name="")
        ends = [graph.get_tensor_by_name(n if ":" in n else f"{n}:0") for n in (source, answer)]
        define = tf.compat.v1.saved_model.signature_def_utils.predict_signature_def
        signatures = {"serving_default": define({input_key: ends[0]}, {output_key: ends[1]})}
        builder = tf.compat.v1.saved_model.Builder(str(out))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def main() -> None:
    """Quantizes, writes, and says as the last line how long it took and what the tool called inputs and outputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", choices=("keras", "saved_model", "frozen"))
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the samples, an .npz with one array")
    parser.add_argument("--input", required=True, help="key of the signature's input")
    parser.add_argument("--output", required=True, help="key of the signature's output")
    parser.add_argument("--granularity", choices=("per_tensor", "per_channel"), default="per_tensor")
    given = parser.parse_args()
    with np.load(given.data) as archive:
        (rows,) = (archive[key] for key in archive.files)
    loader = BaseDataLoader(Samples(rows), batch_size=1)
    recipe = StaticQuantConfig(weight_granularity=given.granularity)
    begin = time.perf_counter()
    quantized = quantize_model(model_in(given.form, given.model), recipe, loader, calib_iteration=len(rows))
    if quantized is None:
        raise RuntimeError("the tool gave no model back")
    seconds = time.perf_counter() - begin
    write(quantized, given.out, given.input, given.output)
    names = [list(quantized.input_tensor_names), list(quantized.output_tensor_names)]
    print(json.dumps({"seconds": seconds, "names": names}))


if __name__ == "__main__":
    main()
