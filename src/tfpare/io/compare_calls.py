"""Calls two SavedModels in turns: `python -m tfpare.io.compare_calls REQUEST.json`, a process of its own.

It answers on standard output with JSON: seconds to load and of each call, and the argmax of each row of an output.
"""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

_WARM_UP_CALLS = 10  # the first calls allocate, and let the executor and oneDNN build their caches
_LOADS = 3


def main(request: str) -> None:
    """Does what the request file asks.

    Args:
        request: JSON with `models` (paths), `signature`, `input` and `output` (keys), `data` and `array` (an `.npz` and
            the array in it, first dimension the batch), `calls` and `batches` to time.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spec = json.loads(Path(request).read_text(encoding="utf-8"))
    with np.load(spec["data"], allow_pickle=False) as data:
        batch = np.asarray(data[spec["array"]])
    functions, load_s = _load(spec["models"], spec["signature"])
    answer = {
        "load_s": load_s,
        "classes": [_classes(f, spec["input"], spec["output"], batch) for f in functions],
        "calls_s": [_time(functions, spec["input"], batch[:size], spec["calls"]) for size in spec["batches"]],
    }
    json.dump(answer, answers)
    answers.close()


def _load(paths: list[str], signature: str) -> tuple[list[Any], list[float]]:
    """The models, and the smallest of a few load times each; the first load of all warms up and does not count."""
    _function(paths[0], signature)
    functions: list[Any] = [None] * len(paths)
    load_s = [float("inf")] * len(paths)
    for _ in range(_LOADS):
        for k, path in enumerate(paths):
            begin = time.perf_counter()
            functions[k] = _function(path, signature)
            load_s[k] = min(load_s[k], time.perf_counter() - begin)
    return functions, load_s


def _function(path: str, signature: str) -> Any:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    loaded = tf.saved_model.load(path)
    function = loaded.signatures[signature]
    function.keeps_alive = loaded
    return function


def _feed(function: Any, key: str, batch: Any) -> dict[str, Any]:
    import tensorflow as tf

    spec = function.structured_input_signature[1][key]
    shape = [-1, *spec.shape.as_list()[1:]]  # the data may leave out the channel of grey images
    return {key: tf.cast(tf.reshape(tf.constant(batch), shape), spec.dtype)}


def _classes(function: Any, key: str, output: str, batch: Any) -> list[int]:
    scores = function(**_feed(function, key, batch))[output].numpy()
    return scores.argmax(-1).tolist()


def _time(functions: list[Any], key: str, batch: Any, calls: int) -> list[list[float]]:
    feed = _feed(functions[0], key, batch)
    seconds: list[list[float]] = [[] for _ in functions]
    for call in range(_WARM_UP_CALLS + calls):
        for function, times in zip(functions, seconds, strict=True):
            begin = time.perf_counter()
            for value in function(**feed).values():
                value.numpy()
            if call >= _WARM_UP_CALLS:
                times.append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    main(sys.argv[1])
