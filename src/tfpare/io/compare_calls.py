"""Calls two SavedModels in turns: `python -m tfpare.io.compare_calls REQUEST.json`, a process of its own.

It answers on standard output with JSON: per model the seconds of each call, and the argmax of each row of an output.
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


def main(request: str) -> None:
    """Does what the request file asks.

    Args:
        request: JSON with `models` (paths), `signature`, `input` and `output` (keys), `data` and `array` (an `.npz` and
            the array in it, first dimension the batch), `calls`.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spec = json.loads(Path(request).read_text(encoding="utf-8"))
    with np.load(spec["data"], allow_pickle=False) as data:
        batch = np.asarray(data[spec["array"]])
    functions = [_function(path, spec["signature"]) for path in spec["models"]]
    answer = {
        "classes": [_classes(f, spec["input"], spec["output"], batch) for f in functions],
        "seconds": _time(functions, spec["input"], batch[:1], spec["calls"]),
    }
    json.dump(answer, answers)
    answers.close()


def _function(path: str, signature: str) -> Any:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    function = loaded.signatures[signature]
    function.keeps_alive = loaded
    return function


def _classes(function: Any, key: str, output: str, batch: Any) -> list[int]:
    import tensorflow as tf

    scores = function(**{key: tf.constant(batch)})[output].numpy()
    return scores.argmax(-1).tolist()


def _time(functions: list[Any], key: str, one: Any, calls: int) -> list[list[float]]:
    import tensorflow as tf

    feed = {key: tf.constant(one)}
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
