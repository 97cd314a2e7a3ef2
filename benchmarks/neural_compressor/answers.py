"""Asks a SavedModel and looks at its ops; runs in any environment that has TensorFlow and NumPy.

    python benchmarks/neural_compressor/answers.py MODEL [--inputs inputs.npz --out answers.npz]

writes the first output of `serving_default` for all rows as `answers`, and prints the signature's keys, shapes and ops
as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf

BATCH = 8  # rows a call, where the model leaves it open: memory does not grow with the number of rows


def ask(call: Any, key: str, rows: Any, batch: int) -> Any:
    """The first output for all rows."""
    parts = [call(**{key: tf.constant(rows[k : k + batch])}) for k in range(0, len(rows), batch)]
    return np.concatenate([next(iter(part.values())).numpy() for part in parts])


def ops(graph: Any) -> dict[str, int]:
    """How often each op is in a graph and the functions that it calls."""
    found = Counter(node.op for node in graph.node)
    for function in graph.library.function:
        found.update(node.op for node in function.node_def)
    return dict(found)


def main() -> None:
    """Asks and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--inputs", type=Path, help="an .npz with one array")
    parser.add_argument("--out", type=Path, help="where the answers go")
    given = parser.parse_args()
    model = tf.saved_model.load(str(given.model))  # Keep it: a signature does not keep the variables alive.
    call = model.signatures["serving_default"]
    ((key, spec),) = call.structured_input_signature[1].items()
    (output,) = call.structured_outputs
    if given.inputs is not None:
        with np.load(given.inputs) as archive:
            np.savez(given.out, answers=ask(call, key, archive[key], spec.shape[0] or BATCH))
    facts = {"input": key, "output": output, "shape": list(spec.shape), "ops": ops(call.graph.as_graph_def())}
    print(json.dumps(facts | {"tensorflow": tf.__version__}))


if __name__ == "__main__":
    main()
